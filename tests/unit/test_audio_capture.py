"""Between PortAudio's thread and the main loop: blocks, gaps, and an end to any waiting."""

import threading
from itertools import islice, pairwise
from typing import Final

import numpy as np
import pytest

from edgekws.audio.capture import CONTINUE, INPUT_OVERFLOW, Capture, Patience
from edgekws.audio.stream_format import StreamFormat
from edgekws.errors import EdgekwsError, SourceError
from edgekws.events import Block, Pcm

RATE: Final = 16_000
BLOCK: Final = 160
OWN: Final = StreamFormat(rate=RATE, channels=1, block_frames=BLOCK)
FOREIGN: Final = StreamFormat(rate=48_000, channels=2, block_frames=3 * BLOCK)
ROUNDING: Final = 2  # int16 steps, of the resampler
SOON_SECONDS: Final = 0.05  # long enough for the reader to be waiting in poll()


def capture(stream: StreamFormat = OWN, *, patience_seconds: float = 5.0) -> Capture:
    patience = Patience(first_seconds=patience_seconds, next_seconds=patience_seconds)
    return Capture("mic:test", stream=stream, sample_rate=RATE, patience=patience)


def bring(one: Capture, pcm: Pcm, *, status: int = 0) -> None:
    """Call the callback as PortAudio does, with (n,) or (n, channels) int16."""
    assert one.accept(pcm.tobytes(), len(pcm), {}, status) == (None, CONTINUE)


def taken(one: Capture, *, count: int) -> list[Block]:
    return list(islice(one.blocks(), count))


def drained(one: Capture) -> list[Block]:
    """Return all blocks there are, of a capture whose patience is short."""
    blocks: list[Block] = []
    with pytest.raises(SourceError, match="no audio"):
        blocks.extend(one.blocks())
    return blocks


def samples(start: int) -> Pcm:
    return np.arange(start + 1, start + 1 + BLOCK, dtype=np.int16)


def test_blocks_come_as_they_were_captured() -> None:
    one = capture()
    for start in range(0, 5 * BLOCK, BLOCK):
        bring(one, samples(start))
    blocks = taken(one, count=5)
    assert [block.start for block in blocks] == [0, 160, 320, 480, 640]
    np.testing.assert_array_equal(
        np.concatenate([b.pcm for b in blocks]), np.arange(1, 5 * BLOCK + 1)
    )


def test_a_reader_that_waits_is_woken_by_the_callback() -> None:
    one = capture()
    timer = threading.Timer(SOON_SECONDS, bring, args=(one, samples(0)))
    timer.start()
    assert len(next(one.blocks()).pcm) == BLOCK
    timer.join()


def test_an_overflow_is_counted_and_leaves_a_gap(caplog: pytest.LogCaptureFixture) -> None:
    one = capture()
    bring(one, samples(0))
    bring(one, samples(BLOCK), status=INPUT_OVERFLOW)
    first, second = taken(one, count=2)
    assert second.start == first.end + BLOCK
    assert one.dropped_frames == BLOCK
    assert caplog.messages == [f"audio dropped source=mic:test frames={BLOCK} in all"]


def test_a_reader_that_falls_behind_loses_audio_with_a_gap_and_no_flood_of_warnings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = capture()
    ring_blocks = 8 * RATE // BLOCK
    for _ in range(ring_blocks + 10):
        bring(one, samples(0))
    assert one.dropped_frames == 10 * BLOCK
    for _ in range(5):  # from now on always one too late
        taken(one, count=1)
        bring(one, samples(0))
        bring(one, samples(0))
    blocks = taken(one, count=ring_blocks)
    assert blocks[-1].end + BLOCK == (ring_blocks + 20) * BLOCK
    assert one.dropped_frames == 15 * BLOCK
    assert len(caplog.messages) == 1


def test_a_foreign_rate_is_converted_without_a_gap() -> None:
    one = capture(FOREIGN, patience_seconds=0.01)
    time = np.arange(FOREIGN.rate) / FOREIGN.rate
    mono = (10_000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    for start in range(0, len(mono), FOREIGN.block_frames):
        part = mono[start : start + FOREIGN.block_frames]
        bring(one, np.stack((part, part), axis=1))
    blocks = drained(one)
    assert blocks[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(blocks))
    pcm = np.concatenate([block.pcm for block in blocks])
    expected = 10_000 * np.sin(2 * np.pi * 440 * np.arange(len(pcm)) / RATE)
    np.testing.assert_allclose(pcm[800:-800], expected[800:-800], atol=ROUNDING)


def test_a_gap_in_a_foreign_rate_is_a_gap_in_ours() -> None:
    one = capture(FOREIGN, patience_seconds=0.01)
    frames = np.ones((FOREIGN.block_frames, 2), np.int16)
    for index in range(40):
        bring(one, frames, status=INPUT_OVERFLOW if index == 20 else 0)
    blocks = drained(one)
    gaps = [(a.end, b.start) for a, b in pairwise(blocks) if a.end != b.start]
    assert len(gaps) == 1
    assert gaps[0][0] < gaps[0][1] == 21 * BLOCK  # 20 blocks came and 1 was lost before


def test_no_audio_ends_in_a_source_error() -> None:
    with pytest.raises(SourceError, match=r"^mic:test: no audio for 0.01 s; check"):
        next(capture(patience_seconds=0.01).blocks())


def test_audio_that_ceases_ends_in_a_source_error() -> None:
    one = capture(patience_seconds=0.01)
    bring(one, samples(0))
    blocks = one.blocks()
    next(blocks)
    with pytest.raises(SourceError, match="no audio for"):
        next(blocks)


def test_a_stop_ends_a_reader_that_waits() -> None:
    one = capture()
    timer = threading.Timer(SOON_SECONDS, one.stop)
    timer.start()
    assert list(one.blocks()) == []
    timer.join()


def test_a_callback_after_closing_does_no_harm() -> None:
    one = capture()
    one.close()
    bring(one, samples(0))
    one.stop()


def test_a_callback_that_fails_ends_the_listening() -> None:
    one = capture()
    assert one.accept(b"odd", 1, {}, 0) == (None, CONTINUE)
    with pytest.raises(EdgekwsError, match="mic:test: the audio callback died of ValueError"):
        next(one.blocks())
