"""Raw audio on a descriptor: no portion shifts it by a byte, and a stop ends any wait."""

import logging
import os
import signal
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.audio.stdin import StdinSource
from edgekws.errors import SourceError
from edgekws.events import Block

RATE: Final = 16_000
BLOCK: Final = 64
SOON_SECONDS: Final = 0.05  # long enough for the reader to be waiting in poll()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)


def stdin(descriptor: int) -> StdinSource:
    return StdinSource("", sample_rate=RATE, block_samples=BLOCK, descriptor=descriptor)


def feed(writer: int, portions: Sequence[bytes]) -> None:
    for portion in portions:
        os.write(writer, portion)
    os.close(writer)


def heard(portions: Sequence[bytes]) -> list[Block]:
    """Return the blocks of a pipe that another thread writes these portions to."""
    with pipe() as (reader, writer), stdin(reader) as source:
        feeder = threading.Thread(target=feed, args=(writer, portions))
        feeder.start()
        blocks = list(source)
        feeder.join()
    return blocks


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_any_chunking_gives_the_same_samples(portions: list[bytes]) -> None:
    whole = b"".join(portions)
    blocks = heard(portions)
    assert (
        b"".join(block.pcm.astype("<i2").tobytes() for block in blocks)
        == whole[: len(whole) // 2 * 2]
    )
    assert all(len(block.pcm) == BLOCK for block in blocks[:-1])
    assert all(a.end == b.start for a, b in pairwise(blocks))
    assert all(block.sample_rate == RATE and block.pcm.dtype == np.int16 for block in blocks)


def test_a_byte_at_a_time_does_not_shift_the_audio() -> None:
    expected = np.arange(-500, 500, dtype=np.int16)
    blocks = heard([bytes([byte]) for byte in expected.astype("<i2").tobytes()])
    np.testing.assert_array_equal(np.concatenate([b.pcm for b in blocks]), expected)


@pytest.mark.parametrize("samples", [0, 1, BLOCK, BLOCK + 1])
def test_an_end_in_mid_sample_drops_one_byte_with_one_warning(
    samples: int, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = heard([b"\1\2" * samples + b"\3"])
    assert sum(len(block.pcm) for block in blocks) == samples
    assert [r.getMessage() for r in caplog.records] == [
        "stdin ended in the middle of a sample; dropped its one byte"
    ]


def test_an_end_between_samples_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert heard([]) == []
    assert len(heard([b"\1\2" * 100])) == 2
    assert caplog.records == []


def test_a_wav_file_on_stdin_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    heard([b"RIFF" * 100])
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "wav:PATH" in caplog.text


def test_a_signal_handler_stops_a_source_that_waits() -> None:
    with pipe() as (reader, writer), stdin(reader) as source:
        before = signal.signal(signal.SIGALRM, lambda *_: source.stop())
        signal.setitimer(signal.ITIMER_REAL, SOON_SECONDS)
        try:
            assert list(source) == []
        finally:
            signal.signal(signal.SIGALRM, before)
            os.close(writer)


def test_a_thread_stops_a_source_that_waits() -> None:
    with pipe() as (reader, writer), stdin(reader) as source:
        os.write(writer, b"\1\2" * BLOCK)
        blocks = iter(source)
        assert len(next(blocks).pcm) == BLOCK
        timer = threading.Timer(SOON_SECONDS, source.stop)
        timer.start()
        assert list(blocks) == []
        timer.join()
        os.close(writer)


def test_a_stop_before_or_after_the_with_statement_does_no_harm() -> None:
    with pipe() as (reader, writer):
        source = stdin(reader)
        source.stop()
        with source:
            assert list(source) == []
        source.stop()
        os.close(writer)


def test_a_regular_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"\1\2" * 1000)
    with path.open("rb") as file, stdin(file.fileno()) as source:
        assert sum(len(block.pcm) for block in source) == 1000


def test_a_terminal_is_read_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    master, terminal = os.openpty()
    tty.setraw(terminal)
    with stdin(terminal) as source:
        os.write(master, b"\1\2" * BLOCK)
        assert len(next(iter(source)).pcm) == BLOCK
    assert "stdin is a terminal" in caplog.text
    os.close(master)
    os.close(terminal)


def test_a_closed_descriptor_is_refused() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(SourceError, match="stdin is closed"), stdin(reader):
        pass


def test_a_descriptor_that_cannot_be_read_is_a_source_error(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with stdin(folder) as source, pytest.raises(SourceError, match="stdin cannot be read"):
        list(source)
    os.close(folder)


def test_the_descriptor_stays_open_for_its_owner() -> None:
    with pipe() as (reader, writer):
        os.close(writer)
        with stdin(reader) as source:
            list(source)
        os.fstat(reader)
