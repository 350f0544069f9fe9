"""What the host says and when, and which answers it takes for its own; the board is a script."""

import threading
from itertools import count, pairwise

import pytest

from edgekws.link.driver import LinkDriver
from edgekws.link.frame import Deframer, Frame, encode
from edgekws.link.messages import (
    Command,
    Flag,
    Header,
    Hello,
    Nack,
    Reason,
    Type,
    pack,
    unpack,
)
from edgekws.link.orders import Order, Timing
from edgekws.link.session import Link

TIMING = Timing()
LABELS, SESSION, PATIENCE_SECONDS = 7, 99, 60.0
ORDER = Order(label=1, score=0.5, time_to_live_ms=1000, argument=-2)


def from_board(
    kind: Type, payload: bytes = b"", *, session: int = SESSION, command: int = 0
) -> bytes:
    header = Header(1, kind, Flag.FROM_BOARD, 0, session, command, len(payload))
    return encode(Frame(header, payload))


def hello(nonce: int, *, boots: int = 1, timeout_ms: int = 700) -> bytes:
    return pack(Hello(1, 1, timeout_ms, 1, boots, LABELS, nonce))


class Host:
    """A link whose frames are kept as (milliseconds, frame)."""

    def __init__(self) -> None:
        nonces = count(1000)
        self.link = Link(LABELS, lambda: next(nonces))
        self.said: list[tuple[int, Frame]] = []
        self._deframer = Deframer()
        self.now_ms = 0

    def run(self, until_ms: int) -> None:
        while self.now_ms < until_ms:
            self.now_ms += 1
            self.link.poll(self.now_ms)
            frames = self._deframer.feed(self.link.take_output())
            self.said += [(self.now_ms, frame) for frame in frames]

    def hear(self, data: bytes) -> None:
        self.link.feed(data, self.now_ms)

    def times(self, kind: Type) -> list[int]:
        return [now_ms for now_ms, frame in self.said if frame.header.type == kind]

    def nonce(self) -> int:
        greetings = [frame for _, frame in self.said if frame.header.type == Type.HELLO]
        return unpack(Hello, greetings[-1].payload).nonce

    def settle(self, *, timeout_ms: int = 700) -> None:
        """Be granted a session."""
        self.run(self.now_ms + 1)
        self.hear(from_board(Type.HELLO, hello(self.nonce(), timeout_ms=timeout_ms)))
        assert self.link.up
        self.said.clear()


@pytest.fixture
def host() -> Host:
    host = Host()
    host.settle()
    return host


def test_greetings_come_in_growing_pauses() -> None:
    host = Host()
    host.run(4000)
    assert host.times(Type.HELLO) == [1, 101, 301, 701, 1501, 2501, 3501]
    assert host.nonce() == 1000


def test_an_answer_to_another_nonce_is_for_another_host() -> None:
    host = Host()
    host.run(1)
    host.hear(from_board(Type.HELLO, hello(host.nonce() + 1)))
    assert not host.link.up


@pytest.mark.parametrize(("timeout_ms", "pause_ms"), [(700, 100), (200, 40), (0, 10)])
def test_heartbeats_are_five_in_a_boards_patience_or_every_100_ms(
    timeout_ms: int, pause_ms: int
) -> None:
    host = Host()
    host.settle(timeout_ms=timeout_ms)
    host.run(500)
    times = host.times(Type.HEARTBEAT)
    assert {later - earlier for earlier, later in pairwise(times)} == {pause_ms}


def test_each_try_bears_its_age_and_repeats_say_so(host: Host) -> None:
    begin = host.now_ms
    host.link.submit(ORDER, begin)
    host.run(begin + 250)
    tries = [(at, frame) for at, frame in host.said if frame.header.type == Type.COMMAND]
    assert [at - begin - 1 for at, _ in tries] == [0, 40, 100, 190]
    commands = [unpack(Command, frame.payload) for _, frame in tries]
    assert [each.age_ms for each in commands] == [at - begin for at, _ in tries]
    assert {(each.label, each.score, each.argument) for each in commands} == {(1, 32768, -2)}
    assert [frame.header.flags for _, frame in tries] == [0, *[Flag.REPEAT] * 3]
    assert {frame.header.command for _, frame in tries} == {1}


@pytest.mark.parametrize("kind", [Type.ACK, Type.NACK])
@pytest.mark.parametrize(
    ("session", "command", "ends"),
    [(SESSION, 1, True), (SESSION + 1, 1, False), (SESSION, 2, False), (SESSION, 0, False)],
)
def test_an_answer_is_for_the_command_and_session_that_it_names(
    host: Host, kind: Type, session: int, command: int, ends: bool
) -> None:
    host.link.submit(ORDER, host.now_ms)
    host.run(host.now_ms + 2)
    payload = pack(Nack(Reason.STALE, 5)) if kind == Type.NACK else b""
    host.hear(from_board(kind, payload, session=session, command=command))
    assert (host.link.outcome is not None) == ends


def test_the_board_that_is_known_to_have_started_is_not_greeted_again(host: Host) -> None:
    host.hear(from_board(Type.HELLO, hello(0, boots=1), session=0))
    host.run(host.now_ms + 50)
    assert host.times(Type.HELLO) == []


def test_a_board_that_has_started_is_greeted_with_a_new_nonce(host: Host) -> None:
    host.hear(from_board(Type.HELLO, hello(0, boots=2), session=0))
    host.run(host.now_ms + 50)
    assert len(host.times(Type.HELLO)) == 1
    assert host.nonce() == 1001


def test_half_a_frame_of_a_lost_device_does_not_spoil_the_next_devices_first(host: Host) -> None:
    host.hear(from_board(Type.HEARTBEAT)[:9])
    host.link.lose("unplugged", host.now_ms)
    assert not host.link.up
    host.run(host.now_ms + 1)
    host.hear(from_board(Type.HELLO, hello(host.nonce())).lstrip(b"\0"))
    assert host.link.up


def test_the_due_time_knows_the_end_of_an_order_that_waits_for_a_link() -> None:
    host = Host()
    host.run(1600)
    host.link.submit(Order(1, 0.5, time_to_live_ms=30), host.now_ms)
    assert host.link.due_ms() == host.now_ms + 30


class ScriptedPort:
    """A port whose `read` comes back only for bytes or a `wake`; grants and carries out all."""

    name = "script"

    def __init__(self) -> None:
        self._deframer = Deframer()
        self._answers = b""
        self._awake = threading.Event()

    def read(self, timeout_seconds: float) -> bytes:
        if not self._answers:
            self._awake.wait(PATIENCE_SECONDS)
        self._awake.clear()
        answers, self._answers = self._answers, b""
        return answers

    def write(self, data: bytes) -> None:
        for frame in self._deframer.feed(data):
            if frame.header.type == Type.HELLO:
                nonce = unpack(Hello, frame.payload).nonce
                self._answers += from_board(Type.HELLO, hello(nonce))
            if frame.header.type == Type.COMMAND:
                self._answers += from_board(Type.ACK, command=frame.header.command)

    def wake(self) -> None:
        self._awake.set()

    def close(self) -> None:
        pass


def test_an_order_does_not_wait_for_the_port_to_come_back_by_itself() -> None:
    driver = LinkDriver(LABELS, ScriptedPort)
    outcomes = [driver.send(Order(1, 0.5, time_to_live_ms=30_000)) for _ in range(3)]
    driver.close()
    assert [each.status for each in outcomes] == ["done"] * 3
