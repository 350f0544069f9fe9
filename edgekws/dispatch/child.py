"""One run of a program in a process group of its own, which never outlives its time."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal

from edgekws.dispatch.outcome import Outcome

GRACE_SECONDS: Final = 0.3  # between SIGTERM and SIGKILL: enough for a handler, short at shutdown
_REAP_SECONDS: Final = 1.0  # a killed child that is still there hangs in the kernel
_STDERR: Final = 2


def run_child(
    argv: Sequence[str],
    *,
    variables: Mapping[str, str],
    timeout_seconds: float,
    stop: threading.Event,
) -> Outcome:
    """Run a program until it ends, its time is up, or `stop` is set; never raise.

    The program reads nothing and writes to our stderr, because stdout is JSON lines. A program
    that ends in time may leave children in the background; one that does not is killed together
    with its whole group.
    """
    try:
        child = _start(argv, variables)
    except (OSError, ValueError) as error:  # ValueError: text that argv cannot hold
        reason = getattr(error, "strerror", None) or str(error)
        return Outcome("failed", f'"{argv[0]}" cannot be started: {reason}')
    if _ends(child, timeout_seconds, stop):
        return _outcome(child.returncode)
    killed = "its process group was killed" if _kill_group(child) else "it could not be killed"
    if stop.is_set():
        return Outcome("failed", f"edgekws is closing; {killed}")
    return Outcome("timeout", f"did not end within {timeout_seconds:g} s; {killed}")


def _start(argv: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=_STDERR,
        env={**os.environ, **variables},  # handed through to the program, read by nobody here
        start_new_session=True,
    )


def _ends(child: subprocess.Popen[bytes], timeout_seconds: float, stop: threading.Event) -> bool:
    """Wait for the child's end; False leaves it unreaped, so that its group id stays its own."""
    deadline = time.monotonic() + timeout_seconds
    pause = 0.001
    while child.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0 or stop.wait(min(pause, left)):
            return False
        pause = min(2 * pause, 0.05)
    return True


def _kill_group(child: subprocess.Popen[bytes]) -> bool:
    """End the group of a child that is not reaped yet; return whether the child is gone.

    The grace is always waited for in full: the child may have gone before its own children, and
    reaping it first could hand its group id to a stranger.
    """
    _signal_group(child, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    _signal_group(child, signal.SIGKILL)
    try:
        child.wait(_REAP_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # gone, or it became another user
        os.killpg(child.pid, number)


def _outcome(returncode: int) -> Outcome:
    if returncode < 0:
        return Outcome("failed", f"killed by {_signal_name(-returncode)}")
    status: Literal["done", "failed"] = "done" if returncode == 0 else "failed"
    return Outcome(status, f"exit code {returncode}", returncode)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals have no names of their own
        return f"signal {number}"
