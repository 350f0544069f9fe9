"""The C library and the Python host in virtual time: every command once, whatever the wire does."""

import ctypes
from typing import Final

import pytest

from edgekws.link.orders import Order
from edgekws.link.session import Link
from tests.c_bridge import LABELS_HASH, SAFE, TIMEOUT_MS, CBoard
from tests.exactly_once import WIRE_BYTES_PER_MS, keep_books
from tests.faulty_wire import Spoiler, Wire

STEP_MS: Final = 2


class VirtualGround:
    """A board of the C library; some time passes at every exchange."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.board = CBoard(library)
        self._now_ms = 0
        self.board.boot(0)

    def now_ms(self) -> int:
        return self._now_ms

    def exchange(self, data: bytes) -> bytes:
        self._now_ms += STEP_MS
        if data:
            self.board.feed(data, self._now_ms)
        self.board.poll(self._now_ms)
        return self.board.take_output()

    def restart(self) -> None:
        self.board.boot(self._now_ms)

    def executed(self) -> list[int]:
        return [argument for _, argument in self.board.executed]


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5])
def test_a_thousand_commands_are_carried_out_once_or_reported_failed(
    c_library: ctypes.CDLL, rate: float
) -> None:
    ground = VirtualGround(c_library)
    books = keep_books(ground, LABELS_HASH, labels=range(12), count=1000, rate=rate, every=40)
    books.check(late_ms=STEP_MS)
    assert books.restarts == 25
    assert books.statuses()["done"] >= 900


def test_twenty_commands_a_second_pass_at_115200_baud(c_library: ctypes.CDLL) -> None:
    """In virtual time, so a deadline of the issue that no load of the machine can move."""
    board = CBoard(c_library)
    board.boot(0)
    link = Link(LABELS_HASH, lambda: 1)
    there = Wire(Spoiler(0, seed=1), bytes_per_ms=WIRE_BYTES_PER_MS)
    back = Wire(Spoiler(0, seed=2), bytes_per_ms=WIRE_BYTES_PER_MS)
    now_ms = 0
    for number in range(200):
        link.submit(Order(number % 12, 0.5, 2000, number), now_ms)
        while link.outcome is None:
            now_ms += 1
            link.poll(now_ms)
            there.send(link.take_output(), now_ms)
            board.feed(there.arrived(now_ms), now_ms)
            board.poll(now_ms)
            back.send(board.take_output(), now_ms)
            link.feed(back.arrived(now_ms), now_ms)
        assert link.outcome.status == "done"
    assert now_ms <= 200 * 1000 / 20


def test_the_safe_state_comes_within_a_second_of_link_loss(c_library: ctypes.CDLL) -> None:
    ground = VirtualGround(c_library)
    link = Link(LABELS_HASH, lambda: 1)
    link.submit(Order(3, 0.5, 2000, 1), 0)
    while link.outcome is None:
        link.poll(ground.now_ms())
        link.feed(ground.exchange(link.take_output()), ground.now_ms())
    assert ground.board.outputs[3] == 1
    cut_ms = ground.now_ms()
    while ground.board.up:
        ground.exchange(b"")
    assert ground.now_ms() - cut_ms <= min(1000, TIMEOUT_MS + STEP_MS)
    assert ground.board.outputs == SAFE
