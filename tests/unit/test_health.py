"""One state out of what is known, what is told of it, and when systemd is pinged."""

import math
import socket
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from msgspec.structs import replace

from edgekws.audio.level import FLOOR_DBFS
from edgekws.events import Block, Detection, HealthChange, LinkHealth
from edgekws.runtime.detector import Counters
from edgekws.runtime.health import (
    DispatchCounts,
    Health,
    Signs,
    judge,
    level_dbfs,
    link_complaint,
    words,
)
from edgekws.runtime.lookout import Lookout
from edgekws.runtime.notify import Notifier

FINE: Final = Signs(
    live=True,
    muted=False,
    trouble="",
    complaint="",
    audio_age_seconds=0.05,
    step_age_seconds=0.05,
)
COUNTERS: Final = Counters(0, 0, 0, 0, 0, 0, 0)
HEALTH: Final = Health(
    state="listening",
    reason="",
    source="mic:",
    device="USB",
    bundle="tones 1",
    uptime_seconds=60.0,
    audio_age_seconds=0.05,
    step_age_seconds=0.05,
    level_dbfs=-31.7,
    last_detection=None,
    detection_age_seconds=None,
    counters=COUNTERS,
    dropped_frames=0,
    reopenings=0,
    reloads=0,
    unwritten=0,
    dispatches=DispatchCounts(),
)


def test_the_first_link_that_is_down_is_what_is_wrong() -> None:
    up, down = LinkHealth(True, "a", "", 0), LinkHealth(False, None, "no device matches b", 0)
    assert link_complaint((up, down)) == "the link to the board is down: no device matches b"
    assert link_complaint((up,)) == ""
    assert link_complaint(()) == ""


@pytest.mark.parametrize(
    ("signs", "state", "reason"),
    [
        (FINE, "listening", ""),
        (replace(FINE, step_age_seconds=None), "starting", "no audio has come"),
        (replace(FINE, trouble="unplugged", muted=True), "deaf", "unplugged"),
        (replace(FINE, audio_age_seconds=4.0, step_age_seconds=4.0), "deaf", "no audio for 4 s"),
        (replace(FINE, step_age_seconds=9.0), "deaf", "no step for 9 s"),
        (replace(FINE, live=False, audio_age_seconds=9.0), "listening", ""),
        (replace(FINE, muted=True, complaint="clipping"), "muted", "on request"),
        (replace(FINE, complaint="clipping"), "degraded", "clipping"),
    ],
)
def test_the_state_is_the_worst_that_is_true(signs: Signs, state: str, reason: str) -> None:
    judged, why = judge(signs)
    assert judged == state
    assert reason in why
    assert bool(why) == bool(reason)


def test_the_level_is_that_of_the_samples() -> None:
    square = np.full(1280, -32768, np.int16)
    assert level_dbfs(Block(square, 0)) == 0.0
    assert level_dbfs(Block(square // 2, 0)) == pytest.approx(-20 * math.log10(2))
    for nothing in (None, Block(np.zeros(1280, np.int16), 0), Block(np.zeros(0, np.int16), 0)):
        assert level_dbfs(nothing) == FLOOR_DBFS


def test_the_words_are_one_line_that_says_what_is_heard() -> None:
    heard = Detection(1, "lights on", 0.9, 16_000, 1.0)
    health = replace(HEALTH, last_detection=heard, detection_age_seconds=12.0)
    assert words(health) == 'listening (mic:, -32 dBFS, 0 heard, last "lights on" 12 s ago)'
    assert words(replace(HEALTH, state="deaf", reason="unplugged")).startswith("deaf: unplugged (")


class Manager:
    """What systemd does: a datagram socket that is read without waiting."""

    def __init__(self, address: str | bytes) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


def untold(change: HealthChange) -> None:
    del change


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_ping_needs_audio_and_a_step_since_the_last_one(tmp_path: Path) -> None:
    manager, clock = Manager(str(tmp_path / "notify")), Clock()
    notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=8.0)
    lookout = Lookout(notifier, untold, clock)
    pings = []
    for samples, steps in ((0, 0), (1280, 0), (2560, 1), (3840, 1), (3840, 2), (5120, 3)):
        clock.seconds += 2.0
        lookout.look(replace(HEALTH, counters=replace(COUNTERS, samples=samples, steps=steps)))
        pings.append(manager.told().count("WATCHDOG=1"))
    assert pings == [0, 0, 1, 0, 1, 1]
    notifier.close()
    manager.close()


def test_pings_are_no_more_often_than_the_watchdog_needs(tmp_path: Path) -> None:
    manager, clock = Manager(str(tmp_path / "notify")), Clock()
    notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=8.0)
    lookout = Lookout(notifier, untold, clock)
    for step in range(1, 81):
        clock.seconds += 0.1
        lookout.look(replace(HEALTH, counters=replace(COUNTERS, samples=step, steps=step)))
    assert manager.told().count("WATCHDOG=1") in (4, 5)
    notifier.close()
    manager.close()


def test_changes_of_state_are_told_at_once_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager, clock = Manager(str(tmp_path / "notify")), Clock()
    notifier = Notifier(str(tmp_path / "notify"))
    lookout = Lookout(notifier, untold, clock)
    lookout.look(HEALTH)
    lookout.look(replace(HEALTH, level_dbfs=-20.0))
    lookout.look(replace(HEALTH, state="deaf", reason="all\nzeros"))
    told = manager.told()
    assert [line.partition(" (")[0] for line in told] == [
        "STATUS=listening",
        "STATUS=deaf: all zeros",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    notifier.close()
    manager.close()


def test_a_look_is_due_with_a_change_a_ping_and_from_time_to_time(tmp_path: Path) -> None:
    clock = Clock()
    notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=20.0)
    lookout = Lookout(notifier, untold, clock)
    alike = (HEALTH.state, HEALTH.reason)
    assert lookout.is_due(*alike)  # the first one
    lookout.look(replace(HEALTH, counters=replace(COUNTERS, samples=1, steps=1)))
    assert not lookout.is_due(*alike)
    assert lookout.is_due("deaf", "zeros")
    clock.seconds += 4.9
    assert not lookout.is_due(*alike)
    clock.seconds += 0.2
    assert lookout.is_due(*alike)  # a ping
    lookout.look(replace(HEALTH, counters=replace(COUNTERS, samples=2, steps=2)))
    assert not lookout.is_due(*alike)
    notifier.close()


def test_the_words_are_never_older_than_ten_seconds() -> None:
    clock = Clock()
    lookout = Lookout(Notifier(""), untold, clock)
    lookout.look(HEALTH)
    clock.seconds += 9.9
    assert not lookout.is_due(HEALTH.state, HEALTH.reason)
    clock.seconds += 0.2
    assert lookout.is_due(HEALTH.state, HEALTH.reason)


def test_each_state_is_told_as_an_event_once() -> None:
    told: list[HealthChange] = []
    lookout = Lookout(Notifier(""), told.append, Clock())
    for state, reason in (("starting", ""), ("deaf", "zeros"), ("deaf", "gone"), ("listening", "")):
        for _ in range(2):
            lookout.look(replace(HEALTH, state=state, reason=reason))
    assert told == [
        HealthChange("starting", ""),
        HealthChange("deaf", "zeros"),
        HealthChange("listening", ""),
    ]


def test_a_microphone_that_is_switched_off_is_deaf_and_keeps_the_service(tmp_path: Path) -> None:
    manager, clock = Manager(str(tmp_path / "notify")), Clock()
    notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=8.0)
    lookout = Lookout(notifier, untold, clock)
    zeros = replace(HEALTH, state="deaf", reason="nothing but zeros for 2 s")
    for step in range(1, 5):
        clock.seconds += 2.0
        lookout.look(replace(zeros, counters=replace(COUNTERS, samples=step, steps=step)))
    told = manager.told()
    assert told.count("WATCHDOG=1") == 4
    assert told[0].startswith("STATUS=deaf: nothing but zeros for 2 s")
    notifier.close()
    manager.close()


def test_an_abstract_address_and_the_moment_of_a_reload() -> None:
    manager = Manager(b"\0edgekws-test-notify")
    notifier = Notifier("@edgekws-test-notify")
    notifier.reloading(lambda: 12.000003)
    notifier.ready()
    notifier.stopping()
    assert manager.told() == ["RELOADING=1", "MONOTONIC_USEC=12000003", "READY=1", "STOPPING=1"]
    notifier.close()
    manager.close()


def test_a_manager_that_is_gone_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    notifier.ready()
    assert [record.getMessage() for record in caplog.records] == [
        "systemd is not told: No such file or directory (said once)"
    ]
    notifier.close()
    notifier.ready()
