"""The host's side of the link in virtual time, against the C library as its board."""

import ctypes
from itertools import count

import pytest

from edgekws.link.frame import Deframer, Frame, encode
from edgekws.link.messages import Flag, Header, Hello, Nack, Reason, Type, pack
from edgekws.link.orders import Order, Timing
from edgekws.link.session import Link
from tests.c_bridge import LABELS_HASH, CBoard

TIMING = Timing()
ORDER = Order(label=3, score=0.5, time_to_live_ms=1000)


class Table:
    """A host and a board on one table, time in steps of a millisecond; the wire can be cut."""

    def __init__(self, library: ctypes.CDLL, **changes: int) -> None:
        self.board = CBoard(library, **changes)
        self.board.boot(0)
        nonces = count(0x5EED0001)
        self.link = Link(LABELS_HASH, lambda: next(nonces))
        self.now_ms = 0
        self.there = self.back = True
        self.sent = self.heard = b""

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds):
            self.now_ms += 1
            self.link.poll(self.now_ms)
            out = self.link.take_output()
            self.sent += out
            if self.there:
                self.board.feed(out, self.now_ms)
            self.board.poll(self.now_ms)
            answer = self.board.take_output()
            self.heard += answer
            if self.back:
                self.link.feed(answer, self.now_ms)

    def submit(self, order: Order = ORDER) -> None:
        self.link.submit(order, self.now_ms)

    @property
    def status(self) -> str | None:
        return None if self.link.outcome is None else self.link.outcome.status

    def notices(self) -> list[str]:
        return [notice.kind for notice in self.link.take_notices()]


@pytest.fixture
def table(c_library: ctypes.CDLL) -> Table:
    table = Table(c_library)
    table.run(5)
    assert table.link.up
    return table


def test_the_board_says_who_it_is(table: Table) -> None:
    assert table.link.board is not None
    assert (table.link.board.build, table.link.board.boots) == (7, 1)
    assert table.notices() == ["up"]


def test_a_lost_answer_is_asked_for_again_with_growing_pauses(table: Table) -> None:
    table.submit()
    table.back = False
    table.run(400)
    assert table.status is None
    pauses_ms = (40, 60, 90, 135)  # 1.5 times longer each, up to 160
    tries = sum(sum(pauses_ms[:n]) < 400 for n in range(len(pauses_ms) + 1))
    table.back = True
    table.run(200)
    assert table.status == "done"
    assert table.link.outcome is not None
    assert table.link.outcome.tries == tries + 1
    assert len(table.board.executed) == 1


def test_no_answer_is_a_timeout_at_the_time_to_live(table: Table) -> None:
    table.submit()
    table.there = False
    table.run(999)
    assert table.status is None
    table.run(1)
    assert table.status == "timeout"
    assert table.board.executed == []


def test_tries_are_bounded(table: Table) -> None:
    table.submit(Order(3, 0.5, 60_000))
    table.board.answer = lambda _label, _argument: -1  # later, for ever
    table.run(TIMING.tries * TIMING.longest_retry_ms)
    assert table.link.outcome is not None
    assert table.link.outcome.detail == f"no answer to {TIMING.tries} tries"


def test_a_command_given_up_cannot_be_carried_out_later(table: Table) -> None:
    """Its frames, replayed from the wire, are of a session that has ended."""
    table.submit()
    table.there = False
    mark = len(table.sent)
    table.run(1001)
    late = table.sent[mark:]
    table.there = True
    table.run(300)
    table.board.feed(late, table.now_ms)
    assert table.board.executed == []


def test_silence_is_a_link_down_and_an_answer_brings_the_session_back(table: Table) -> None:
    table.run(100)
    table.there = table.back = False
    table.run(TIMING.silence_ms + 1)
    assert not table.link.up
    assert not table.board.up
    table.there = table.back = True
    table.run(TIMING.longest_hello_ms)
    assert table.link.up
    assert table.board.up
    assert table.notices() == ["up", "down", "up"]


def test_a_safe_state_that_the_host_did_not_notice_is_told(table: Table) -> None:
    """The board heard nothing for 700 ms, the host heard the board's last word of it."""
    table.there = False
    table.run(TIMING.silence_ms - 100)
    assert table.link.up
    assert table.notices() == ["up", "safe"]
    assert table.link.state is not None
    assert table.link.state.safe == 1


def test_an_order_that_is_cancelled_fails_and_the_next_one_passes(table: Table) -> None:
    table.there = False
    table.submit()
    table.run(3)
    table.link.cancel("enough", table.now_ms)
    assert table.link.outcome is not None
    assert (table.link.outcome.status, table.link.outcome.detail) == ("failed", "enough")
    table.there = True
    table.submit()
    table.run(500)
    assert table.status == "done"


def test_an_order_without_a_link_waits_for_it(c_library: ctypes.CDLL) -> None:
    table = Table(c_library)
    table.there = False
    table.submit()
    table.run(500)
    assert table.status is None
    table.there = True
    table.run(500)
    assert table.status == "done"


def test_an_order_that_a_restart_swallowed_is_reported_failed(table: Table) -> None:
    table.back = False
    table.submit()
    table.run(2)
    assert len(table.board.executed) == 1
    table.board.boot(table.now_ms)
    table.back = True
    table.run(500)
    assert table.link.outcome is not None
    assert table.link.outcome.detail == "the board restarted before it answered"
    assert len(table.board.executed) == 1
    table.submit()
    table.run(5)
    assert table.status == "done"


def test_a_host_that_restarts_gets_a_session_of_its_own(table: Table) -> None:
    table.submit()
    table.run(5)
    table.link = Link(LABELS_HASH, lambda: 0x0DD00001)
    table.run(5)
    table.submit()
    table.run(5)
    assert table.status == "done"
    assert len(table.board.executed) == 2


def test_other_labels_fail_orders_at_once(c_library: ctypes.CDLL) -> None:
    table = Table(c_library, labels_hash=LABELS_HASH + 1)
    table.submit()
    table.run(5)
    assert table.link.outcome is not None
    assert "other labels (hash 00c0ffef, ours 00c0ffee)" in table.link.outcome.detail
    table.submit()
    assert table.status == "failed"
    assert table.notices() == ["refused"]
    table.run(5000)
    assert not table.link.up
    assert table.notices() == []


def from_board(kind: Type, payload: bytes, *, session: int = 0, flags: int = 1) -> bytes:
    return encode(Frame(Header(1, kind, flags, 0, session, 0, len(payload)), payload))


def test_a_board_of_another_version_is_told(c_library: ctypes.CDLL) -> None:
    table = Table(c_library)
    table.there = False
    table.submit()
    nack = pack(Nack(Reason.VERSION, 2 + 3 * 256))
    table.link.feed(from_board(Type.NACK, nack), 1)
    assert table.link.outcome is not None
    assert "speaks versions 2 to 3 of the protocol, edgekws 1 to 1" in table.link.outcome.detail


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        (Hello(1, 1, 700, 7, 1, LABELS_HASH + 1, 0x5EED0001), "other labels"),
        (Hello(2, 3, 700, 7, 1, LABELS_HASH, 0x5EED0001), "speaks versions 2 to 3"),
    ],
)
def test_a_board_that_does_not_look_itself_is_refused_by_the_host(hello: Hello, words: str) -> None:
    nonces = count(0x5EED0001)
    link = Link(LABELS_HASH, lambda: next(nonces))
    link.poll(0)
    link.feed(from_board(Type.HELLO, pack(hello), session=9), 1)
    assert not link.up
    assert words in link.trouble


def test_frames_of_an_unknown_version_do_not_keep_the_link_up(table: Table) -> None:
    hello = Deframer().feed(table.heard)[-1].header
    table.back = False
    for _ in range(TIMING.silence_ms):
        table.run(1)
        header = Header(2, Type.HEARTBEAT, Flag.FROM_BOARD, 0, hello.session, 0, 0)
        table.link.feed(encode(Frame(header, b"")), table.now_ms)
    table.run(10)
    assert not table.link.up


def test_an_echo_is_no_board(c_library: ctypes.CDLL) -> None:
    table = Table(c_library)
    for _ in range(100):
        table.link.poll(table.now_ms)
        table.link.feed(table.link.take_output(), table.now_ms)
        table.now_ms += 10
    assert not table.link.up


def test_frames_that_are_too_short_for_their_type_are_refused(table: Table) -> None:
    before = table.link.faults
    for kind, payload in ((Type.HELLO, bytes(19)), (Type.NACK, b""), (Type.STATE, bytes(3))):
        table.link.feed(from_board(kind, payload), table.now_ms)
    assert table.link.faults == before + 3


def test_unknown_reasons_and_types_are_no_trouble(table: Table) -> None:
    table.board.answer = lambda _label, _argument: -1
    table.submit()
    table.run(3)
    table.link.feed(from_board(Type.HEARTBEAT, b"", session=1), table.now_ms)
    table.link.feed(encode(Frame(Header(1, 200, Flag.FROM_BOARD, 0, 0, 0, 0), b"")), table.now_ms)
    assert table.link.up
    assert table.status is None


def test_an_old_boot_message_does_not_end_the_session(table: Table) -> None:
    table.submit()
    hello = pack(Hello(1, 1, 700, 7, 1, LABELS_HASH, 0))
    table.link.feed(from_board(Type.HELLO, hello), table.now_ms)
    table.run(3)
    assert table.status == "done"


def test_the_due_time_is_never_missed(table: Table) -> None:
    """A driver that sleeps until `due_ms` is as quick as one that polls all the time."""
    table.run(500)
    assert table.now_ms < table.link.due_ms() <= table.now_ms + TIMING.heartbeat_ms
    table.submit()
    assert table.link.due_ms() <= table.now_ms
