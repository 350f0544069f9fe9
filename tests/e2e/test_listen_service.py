"""`edgekws listen` as systemd runs it: what it tells, and what SIGHUP does."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.bundles import LABELS, make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, Listening, environment
from tests.service_manager import ServiceManager, service_manager

SPEECH: Final = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1))).tobytes()
WATCHDOG: Final = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": ""}
END_SECONDS: Final = 4.0  # promised are 2; the other half is for a loaded machine
FOREIGN: Final = """
import random, sys, time
frames = random.Random(1).randbytes(4 * 4800)  # a tenth of a second of two channels at 48 kHz
begun, count = time.monotonic(), 0
while True:
    sys.stdout.buffer.write(frames)
    sys.stdout.buffer.flush()
    count += 1
    time.sleep(max(0.0, begun + count / 10 - time.monotonic()))
"""
SILENT_SECONDS: Final = 1.5  # several times what lies between two pings


@pytest.fixture
def manager() -> Iterator[ServiceManager]:
    with (
        tempfile.TemporaryDirectory(prefix="edgekws-") as name,  # short: it holds a socket
        service_manager(Path(name) / "notify") as one,
    ):
        yield one


def environ(manager: ServiceManager) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.address, **WATCHDOG}


def settings(folder: Path, *, label: str = "yes") -> Path:
    """Write a listen.toml whose program prints the address it must not be given."""
    path = folder / "listen.toml"
    path.write_text(
        f'bundle = "bundle"\n[[commands]]\nlabel = "{label}"\nsink = "process"\n'
        'argv = ["sh", "-c", "exit ${#NOTIFY_SOCKET}"]\n',
        encoding="utf-8",
    )
    return path


def test_systemd_is_told_when_it_hears_and_when_it_does_not(
    tmp_path: Path, manager: ServiceManager
) -> None:
    make_bundle(tmp_path / "bundle")
    with Listening("--config", settings(tmp_path), environ=environ(manager)) as listening:
        manager.wait_for("READY=1")
        assert "WATCHDOG=1" not in manager.lines
        listening.feed(SPEECH)
        manager.wait_for("WATCHDOG=1")
        assert any(line.startswith("STATUS=listening (-, ") for line in manager.lines)
        while manager.read(SILENT_SECONDS):
            pass
        pings = manager.lines.count("WATCHDOG=1")
        listening.feed(SPEECH)
        manager.wait_for("WATCHDOG=1")
        assert manager.lines.count("WATCHDOG=1") == pings + 1
        results = [event for event in (listening.event() for _ in range(4)) if "sink" in event]
        listening.process.terminate()
        manager.wait_for("STOPPING=1")
        done = listening.ends_by_itself(within_seconds=60.0)
    assert done.code == 0
    assert [line["exit_code"] for line in results] == [0, 0]


def test_sighup_takes_a_new_bundle_or_keeps_the_old_one(
    tmp_path: Path, manager: ServiceManager
) -> None:
    """The old bundle is gone from the disk meanwhile, as after a careless copy."""
    make_bundle(tmp_path / "bundle")
    config = settings(tmp_path)
    with Listening("--config", config, environ=environ(manager)) as listening:
        manager.wait_for("READY=1")
        shutil.rmtree(tmp_path / "bundle")
        listening.process.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        listening.feed(SPEECH)
        assert (listening.event()["id"], listening.event()["status"]) == (1, "done")
        make_bundle(tmp_path / "bundle", labels=(*LABELS[:2], "stop", "yes"))
        config.write_text(config.read_text().replace('"yes"', '"stop"'))
        listening.process.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        stop = tone("stop", labels=(*LABELS[:2], "stop", "yes"))
        listening.feed(np.concatenate((noise(seconds=1), stop, noise(seconds=1))).tobytes())
        event = listening.event()
        assert (event["id"], event["label"]) == (2, "stop")
        assert listening.event()["sink"] == "process"
        done = listening.end()
    assert done.code == 0
    (failed,) = [line for line in done.stderr.splitlines() if "reload failed" in line]
    assert f"{tmp_path}/bundle: no such bundle folder" in failed
    assert "gaps=0" in done.stderr


def test_a_deaf_daemon_says_why_pings_nobody_and_ends_when_told_to(
    tmp_path: Path, manager: ServiceManager
) -> None:
    flags = ("--bundle", make_bundle(tmp_path / "bundle"), "--wait")
    with Listening(*flags, source="exec:false", environ=environ(manager)) as listening:
        assert "exec:false: it ended with code 1" in manager.wait_for("STATUS=deaf: ")
        while manager.read(SILENT_SECONDS):
            pass
        listening.process.terminate()
        done = listening.ends_by_itself(within_seconds=END_SECONDS)
    assert done.code == 0
    assert "WATCHDOG=1" not in manager.lines
    assert done.stderr.count("WARNING: source lost: exec:false: it ended with code 1") == 1


def test_a_program_at_another_rate_and_channel_count_is_heard_and_complained_of(
    tmp_path: Path, manager: ServiceManager
) -> None:
    """As `arecord -r 48000 -c 2` gives it, which means nothing to a model of 16 kHz."""
    script = tmp_path / "record.py"
    script.write_text(FOREIGN, encoding="utf-8")
    source = f"exec:{sys.executable} {script}"
    flags = ("--bundle", make_bundle(tmp_path / "bundle"))
    with Listening(*flags, source=source, environ=environ(manager)) as listening:
        told = manager.wait_for("STATUS=degraded: about 9")
        assert "samples a second come and 16000 are expected" in told
        listening.process.terminate()
        done = listening.ends_by_itself(within_seconds=PATIENCE_SECONDS)
    assert done.code == 0
    assert done.stderr.count("health degraded reason=about 9") == 1


TERMINAL: Final = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "edgekws", *sys.argv[1:]])
"""


def test_a_terminal_that_is_closed_ends_it(tmp_path: Path, manager: ServiceManager) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    ours, theirs = os.openpty()
    listen = ("listen", "--bundle", str(bundle), "--source", "exec:cat /dev/urandom")
    process = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *listen],
        env={**environment(), "NOTIFY_SOCKET": manager.address},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        manager.wait_for("STATUS=listening")
        os.close(ours)
        process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
    assert "RELOADING=1" not in manager.lines
