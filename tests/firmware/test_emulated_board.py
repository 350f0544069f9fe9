"""The firmware on an emulated Cortex-M3 as the real peer of the host's link."""

import select
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from edgekws.link.messages import label_set_hash
from edgekws.link.orders import Order
from edgekws.link.session import Link
from edgekws.runtime.wiring import find_bundle, find_shipped
from tests.emulated_board import EmulatedBoard, build_firmware
from tests.exactly_once import TIME_TO_LIVE_MS, WIRE_BYTES_PER_MS, Books, keep_books, report

RATES: Final = (0.0, 0.2, 0.5)
COMMANDS: Final = 1000  # at each rate
RESTARTS: Final = 20
BOARDS: Final = 4
LATE_MS: Final = 1000
"""What a loaded machine may take from this process; test_exactly_once.py is exact."""
WORDS = ("on", "off", "go", "stop", "up", "down", "yes", "no")


class RealGround:
    """The emulated board, in real time."""

    def __init__(self, board: EmulatedBoard) -> None:
        self._board = board

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def exchange(self, data: bytes) -> bytes:
        if data:
            self._board.uart.sendall(data)
        ready, _, _ = select.select([self._board.uart], [], [], 0.001)
        return self._board.uart.recv(4096) if ready else b""

    def restart(self) -> None:
        self._board.reset()

    def executed(self) -> list[int]:
        self._board.reset()  # what ran before the last log line is in the log by now
        self._board.wait_for("boot")
        return [int(line.split()[4]) for line in self._board.log() if line.startswith("run")]


@pytest.fixture(scope="module")
def labels() -> tuple[str, ...]:
    return find_bundle(find_shipped()).manifest.model.labels


@pytest.fixture(scope="module")
def link_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_firmware(tmp_path_factory.mktemp("firmware"))


def talk_to_a_board(
    link_firmware: Path, folder: Path, labels: tuple[str, ...], *, rate: float, seed: int
) -> Books:
    """Send one board its part of the commands, and check what became of each."""
    with EmulatedBoard(link_firmware, folder) as board:
        books = keep_books(
            RealGround(board),
            label_set_hash(labels),
            labels=[labels.index(word) for word in WORDS],
            count=COMMANDS // BOARDS,
            rate=rate,
            every=COMMANDS // RESTARTS,
            seed=seed,
        )
    books.check(late_ms=LATE_MS)
    return books


@pytest.mark.parametrize("rate", RATES)
def test_each_of_a_thousand_commands_is_carried_out_once_or_reported_failed(
    link_firmware: Path, tmp_path: Path, labels: tuple[str, ...], rate: float
) -> None:
    """Boards wait for the wire most of the time, so several of them share the thousand."""

    def talk(number: int) -> Books:
        folder = tmp_path / str(number)
        return talk_to_a_board(link_firmware, folder, labels, rate=rate, seed=number)

    with ThreadPoolExecutor(BOARDS) as pool:
        all_books = list(pool.map(talk, range(BOARDS)))
    statuses = Counter(outcome.status for books in all_books for outcome in books.outcomes)
    assert statuses.total() == COMMANDS
    assert sum(books.restarts for books in all_books) == RESTARTS
    assert statuses["done"] >= 0.9 * COMMANDS
    print(report(rate, all_books))


@pytest.mark.proof
def test_the_safe_state_comes_within_a_second_of_link_loss(
    link_firmware: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    """In real time, as the issue states it: only `make firmware-proof` runs this."""
    with EmulatedBoard(link_firmware, tmp_path) as board:
        ground = RealGround(board)
        link = Link(label_set_hash(labels), lambda: 1)
        link.submit(Order(labels.index("on"), 0.5, TIME_TO_LIVE_MS), ground.now_ms())
        while link.outcome is None:
            link.poll(ground.now_ms())
            link.feed(ground.exchange(link.take_output()), ground.now_ms())
        seconds = board.wait_for("down")
    assert seconds <= 1.0
    print(f"safe state {seconds:.2f} s after the last frame")


@pytest.mark.proof
def test_twenty_commands_a_second_pass_at_115200_baud(
    link_firmware: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    with EmulatedBoard(link_firmware, tmp_path) as board:
        begin = time.monotonic()
        books = keep_books(
            RealGround(board),
            label_set_hash(labels),
            labels=[labels.index(word) for word in WORDS],
            count=400,
            rate=0.0,
            every=1000,
            bytes_per_ms=WIRE_BYTES_PER_MS,
        )
        per_second = 400 / (time.monotonic() - begin)
    assert books.statuses() == {"done": 400}
    assert per_second >= 20
    print(f"{per_second:.0f} commands per second at 115,200 baud")
