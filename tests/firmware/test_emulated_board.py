"""The firmware on an emulated Cortex-M3 as the real peer of the host's link."""

import select
import time
from pathlib import Path

import pytest

from edgekws.link.messages import label_set_hash
from edgekws.runtime.wiring import find_bundle, find_shipped
from tests.emulated_board import EmulatedBoard, build_firmware
from tests.exactly_once import keep_books, report

RATES = (0.0, 0.2, 0.5)
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


def prove(
    link_firmware: Path,
    folder: Path,
    labels: tuple[str, ...],
    *,
    rate: float,
    count: int,
    every: int,
) -> str:
    with EmulatedBoard(link_firmware, folder) as board:
        books = keep_books(
            RealGround(board),
            label_set_hash(labels),
            labels=[labels.index(word) for word in WORDS],
            count=count,
            rate=rate,
            every=every,
        )
    books.check()
    assert books.restarts == count // every
    assert books.statuses()["done"] >= 0.9 * count
    return report(rate, books)


@pytest.mark.parametrize("rate", RATES)
def test_each_command_is_carried_out_once_or_reported_failed(
    link_firmware: Path, tmp_path: Path, labels: tuple[str, ...], rate: float
) -> None:
    prove(link_firmware, tmp_path, labels, rate=rate, count=60, every=15)


@pytest.mark.proof
@pytest.mark.parametrize("rate", RATES)
def test_a_thousand_commands(
    link_firmware: Path, tmp_path: Path, labels: tuple[str, ...], rate: float
) -> None:
    print(prove(link_firmware, tmp_path, labels, rate=rate, count=1000, every=50))
