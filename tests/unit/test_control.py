"""The control socket: who is let in, what is answered, and that no guest can do harm."""

import io
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.journal import Journal
from edgekws.errors import ConfigError, EdgekwsError
from edgekws.events import Block
from edgekws.runtime.control import LINE_BYTES, Control, ControlTalk, Status
from edgekws.runtime.counts import Tellers
from edgekws.runtime.daemon import Daemon
from edgekws.runtime.deaths import Deaths
from edgekws.runtime.doors import unix_listener
from edgekws.runtime.hush import Hush
from edgekws.runtime.parts import Parts
from edgekws.runtime.reception import GUESTS, Reception
from edgekws.runtime.sight import Sight
from tests.control_socket import HEALTH, Client, Idle, quiet_detector, served, short_folder

LINE: Final = b"x" * 4_000 + b"\n"
SIGHT: Final = Sight(quiet_detector(), fraction=0.6)
ENOUGH: Final = 1_000  # such lines are several times what a socket and a guest may hold


def test_status_is_the_health_of_the_daemon() -> None:
    with served() as one, one.client() as client:
        answer = client.ask(do="status")
    assert msgspec.convert(answer, Status).health == HEALTH
    assert answer["ok"] is True
    assert answer["health"]["state"] == "listening"
    assert answer["health"]["dropped_frames"] == 7
    assert answer["reload_failure"] == ""
    assert answer["muted_seconds"] is None
    assert answer["cpu_seconds"] > 0
    assert answer["peak_rss_bytes"] > 1_000_000


def test_requests_reach_the_daemon_in_their_order() -> None:
    with served() as one, one.client() as client:
        for verb in ("mute", "unmute", "reload"):
            assert client.ask(do=verb) == {"ok": True}
        assert one.daemon.told == ["mute", "unmute", "reload"]


def test_a_mute_for_a_while_ends_by_itself() -> None:
    ended = threading.Event()
    with served(chores=()) as one, one.client() as client:
        one.daemon.unmute = ended.set  # type: ignore[method-assign]
        assert client.ask(do="mute", seconds=0.01) == {"ok": True}
        assert ended.wait(60.0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_mutes_that_overlap_end_with_the_longest() -> None:
    daemon, clock = Idle(), Clock()
    hush = Hush(daemon, clock)
    hush.mute(5.0)
    hush.mute(2.0)
    assert hush.left_seconds == 5.0
    assert hush.look(104.0) == 1.0
    assert "unmute" not in daemon.told
    hush.look(105.0)
    assert daemon.told[-1] == "unmute"
    assert hush.left_seconds is None


def test_a_mute_for_a_while_does_not_end_one_without_end() -> None:
    daemon, clock = Idle(), Clock()
    hush = Hush(daemon, clock)
    hush.mute()
    hush.mute(2.0)
    hush.look(200.0)
    assert "unmute" not in daemon.told
    hush.unmute()
    assert daemon.told[-1] == "unmute"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"status",
        b"{}",
        b'{"do":"dance"}',
        b'{"do":"status","extra":1}',
        b'{"do":"mute","seconds":-1}',
        b'{"do":"mute","seconds":1e999}',
        b'{"do":"mute","seconds":NaN}',
        b'{"do":"mute","seconds":"5"}',
        b"[" * 4_000,
        b'{"do":' * 600,
        b'{"do":"\xff\xfe"}',
        b"\x00" * 100,
        b'{"do":"status"}{"do":"status"}',
    ],
)
def test_what_makes_no_sense_is_answered_and_the_talk_goes_on(line: bytes) -> None:
    with served() as one, one.client() as client:
        client.socket.sendall(line + b"\n")
        answer = client.line()
        assert answer["ok"] is False
        assert answer["error"].startswith("not understood: ")
        assert client.ask(do="status")["ok"] is True
        assert one.daemon.told == []


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_bytes_break_a_talk(portions: list[bytes]) -> None:
    daemon = Idle()
    talk = ControlTalk(Control(daemon, Hush(daemon), SIGHT, Tellers()))
    answers = [answer for portion in portions for answer in talk.hear(portion)]
    assert len(answers) == b"".join(portions).count(b"\n")
    assert all(answer.endswith(b"\n") for answer in answers)


def test_a_line_without_end_is_cut_off() -> None:
    with served() as one, one.client() as client:
        client.socket.sendall(b"x" * (LINE_BYTES + 1))
        assert client.line()["error"] == f"a request has at most {LINE_BYTES} bytes"
        assert client.rest() == b""


def test_news_go_to_those_who_follow() -> None:
    with served() as one, one.client() as follower, one.client() as other:
        assert follower.ask(do="tail") == {"ok": True}
        one.reception.tell(b'{"event":"detection"}\n')
        assert follower.line() == {"event": "detection"}
        assert other.ask(do="status")["ok"] is True


def test_a_reader_that_is_too_slow_is_sent_away_and_counted() -> None:
    with served() as one, one.client() as slow, one.client() as other:
        assert slow.ask(do="tail") == {"ok": True}
        for _ in range(ENOUGH):
            one.reception.tell(LINE)
            if other.ask(do="status")["visits"]["too_slow"]:
                break
        assert one.reception.visits.too_slow == 1
        assert len(slow.rest()) < ENOUGH * len(LINE)
        assert other.ask(do="status")["ok"] is True


def test_one_who_asks_without_reading_is_sent_away() -> None:
    with served() as one, one.client() as greedy, one.client() as other:
        with pytest.raises(ConnectionError):
            greedy.socket.sendall(b'{"do":"status"}\n' * 1_000_000)
        assert other.ask(do="status")["visits"]["too_slow"] == 1


def test_guests_beyond_the_bound_are_turned_away_with_the_reason() -> None:
    with served() as one:
        guests = [one.client() for _ in range(GUESTS)]
        for guest in guests:
            assert guest.ask(do="status")["ok"] is True
        with one.client() as late:
            assert f"{GUESTS} others are asking already" in late.line()["error"]
        guests.pop().__exit__()
        for guest in guests:
            assert guest.ask(do="status")["ok"] is True
            guest.__exit__()
        assert one.reception.visits.turned_away == 1


def test_only_the_named_users_are_let_in() -> None:
    stranger = frozenset((os.geteuid() + 1,))
    with served(users=stranger) as one, one.client() as client:
        assert client.line() == {"error": f"user {os.geteuid()} may not ask here", "ok": False}
        assert client.rest() == b""


def test_the_socket_is_its_owners_alone_and_gone_afterwards() -> None:
    with served() as one:
        assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
    assert not one.path.exists()


def test_what_a_dead_process_left_is_replaced() -> None:
    with short_folder() as folder:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(folder / "control"))
        with unix_listener(folder / "control"), Client(folder / "control"):
            pass


def test_a_socket_in_use_and_a_file_are_left_alone() -> None:
    with served() as one, pytest.raises(ConfigError, match="another process listens there"):
        unix_listener(one.path).__enter__()
    with short_folder() as folder:
        path = folder / "control"
        path.write_text("mine")
        with pytest.raises(ConfigError, match="something that is no socket is there"):
            unix_listener(path).__enter__()
        assert path.read_text() == "mine"


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[control\] socket: .*too long"):
        unix_listener(tmp_path / ("x" * 120)).__enter__()


class Silence:
    """A source of silence that ends only when it is told to."""

    name = "silence"

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def __iter__(self) -> Iterator[Block]:
        at = 0
        while not self.stopped.wait(0.001):
            yield Block(np.zeros(1_280, np.int16), at, 16_000)
            at += 1_280

    def stop(self) -> None:
        self.stopped.set()


def test_the_death_of_the_thread_ends_the_daemon() -> None:
    def fall(now: float) -> float:
        raise RuntimeError("fell over")

    parts = Parts("small 1", quiet_detector(), CommandTable({}))
    daemon = Daemon(Silence(), parts, Journal(io.StringIO()))
    with pytest.raises(EdgekwsError, match="the thread 'reception' died of RuntimeError: fell"):
        daemon.run([Reception([], [fall])])


def test_the_death_of_the_thread_is_noticed() -> None:
    died = threading.Event()

    def fall(now: float) -> float:
        raise RuntimeError("fell over")

    with Deaths(died.set) as deaths, Reception([], [fall]):
        assert died.wait(60.0)
    assert deaths.first == "the thread 'reception' died of RuntimeError: fell over"
