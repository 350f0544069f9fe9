"""A main loop that hangs is ended from beside it, with one line and a code that is not zero."""

import signal
import subprocess
import sys
from typing import Final

from tests.commands import PATIENCE_SECONDS, environment

HANGING: Final = """
import sys, time
from edgekws.runtime.signals import signals
from edgekws.runtime.watch import Watch

busy = float(sys.argv[1])
watch = Watch(
    lambda: None,
    busy_seconds=lambda: busy,
    on_end=lambda: print("end", flush=True),
    on_hangup=lambda: print("hup", flush=True),
)
with signals(lambda: None, wake_fd=watch.wake_fd):
    watch.start()
    print("ready", flush=True)
    time.sleep(600)
"""


WAITING: Final = """
import select, signal
from edgekws.audio.wake import WakePipe
from edgekws.runtime.signals import signals
from edgekws.runtime.watch import Watch

pipe = WakePipe()
watch = Watch(lambda: None, busy_seconds=lambda: 0.0, on_end=pipe.set, on_hangup=lambda: None)
with signals(lambda: None, wake_fd=watch.wake_fd):
    watch.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    poll = select.poll()
    poll.register(pipe.fileno(), select.POLLIN)
    print("ready", flush=True)
    poll.poll()
    watch.stop()
"""


def hanging(busy_seconds: float) -> "subprocess.Popen[str]":
    """Start a process whose main thread does not come back by itself."""
    return subprocess.Popen(
        [sys.executable, "-c", HANGING, str(busy_seconds)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_main_loop_that_is_at_one_thing_for_too_long_ends_the_process() -> None:
    with hanging(21.4) as process:
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert stderr == (
        "edgekws: error: the main loop has been at one thing for 21 s: ended by its watch\n"
    )


def test_a_main_loop_that_does_not_end_when_told_to_is_ended() -> None:
    with hanging(0.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "hup\n"
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert stdout == "end\n"
    assert stderr == (
        "edgekws: error: did not end within 4 s of being told to: ended by its watch\n"
    )


def test_a_signal_that_another_thread_takes_ends_a_main_loop_that_waits() -> None:
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
