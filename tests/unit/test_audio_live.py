"""A live source's blocks end where steps do: nothing waits for a block, and time stays true."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Self

import numpy as np

from edgekws.audio.live import Aligned
from edgekws.events import Block, Pcm
from edgekws.runtime.detector import Detector
from tests.fakes import LoudnessEngine, bursts, small_model, trigger_spec

MODEL: Final = small_model(scores_per_step=1)
BLOCK: Final = MODEL.step_frames * MODEL.features.hop
LEAD: Final = MODEL.features.window - MODEL.features.hop
SOUND: Final = bursts(1.0, 2.5, seconds=4)


class Blocks:
    """A source of the blocks given."""

    name = "mic:test"

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks, self.stopped = blocks, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    def stop(self) -> None:
        self.stopped = True


def cut(pcm: Pcm, *, start: int = 0, size: int = BLOCK) -> list[Block]:
    return [Block(pcm[at : at + size], start + at) for at in range(0, len(pcm), size)]


def aligned(blocks: list[Block]) -> list[Block]:
    with Aligned(Blocks(blocks), block_samples=BLOCK, lead_samples=LEAD) as source:
        return list(source)


def detector() -> Detector:
    return Detector(MODEL, LoudnessEngine(1), {"loud": trigger_spec(), "dull": trigger_spec()})


def steps_after_each(blocks: list[Block]) -> list[int]:
    heard, steps = detector(), []
    for block in blocks:
        heard.push(block)
        steps.append(heard.counters.steps)
    return steps


def test_every_block_but_the_first_completes_a_step() -> None:
    assert steps_after_each(aligned(cut(SOUND[: 10 * BLOCK]))) == list(range(10))


def test_a_detection_comes_with_the_last_sample_it_is_about() -> None:
    whole = detector()
    found = [(d.sample, block.end) for block in aligned(cut(SOUND)) for d in whole.push(block)]
    assert len(found) == 2
    assert all(sample == end for sample, end in found)
    late = detector()
    waited = [block.end - d.sample for block in cut(SOUND) for d in late.push(block)]
    assert waited == [BLOCK - LEAD] * 2


def test_what_is_kept_is_all_but_the_start_and_counts_from_zero() -> None:
    blocks = aligned(cut(SOUND))
    np.testing.assert_array_equal(
        np.concatenate([block.pcm for block in blocks]), SOUND[BLOCK - LEAD :]
    )
    assert blocks[0].start == 0
    assert all(before.end == after.start for before, after in pairwise(blocks))


def test_a_recording_of_what_was_kept_gives_the_same_detections() -> None:
    live, recorded = detector(), detector()
    heard = [d for block in aligned(cut(SOUND)) for d in live.push(block)]
    assert heard == recorded.push(Block(SOUND[BLOCK - LEAD :], 0))
    assert [detection.label for detection in heard] == ["loud", "loud"]


def test_behind_a_gap_blocks_are_aligned_again() -> None:
    gap = 777
    blocks = cut(SOUND[: 4 * BLOCK]) + cut(SOUND[: 4 * BLOCK], start=4 * BLOCK + gap)
    kept = aligned(blocks)
    assert [len(block.pcm) for block in kept] == 2 * [LEAD, BLOCK, BLOCK, BLOCK]
    assert kept[4].start - kept[3].end == gap + BLOCK - LEAD
    assert steps_after_each(kept) == [0, 1, 2, 3, 3, 4, 5, 6]


def test_blocks_of_other_lengths_are_left_as_they_are() -> None:
    blocks = cut(SOUND, size=979)  # the first of a resampler, which holds samples back
    assert [len(block.pcm) for block in aligned(blocks)] == [len(block.pcm) for block in blocks]


def test_a_source_without_blocks_has_none() -> None:
    assert aligned([]) == []


def test_stop_reaches_the_source() -> None:
    source = Blocks([])
    Aligned(source, block_samples=BLOCK, lead_samples=LEAD).stop()
    assert source.stopped
