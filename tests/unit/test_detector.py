"""The detector gives the same detections for any chunking and is never poisoned by bad input."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import BundleError
from edgekws.events import Block, Detection, Pcm
from edgekws.runtime.detector import Detector
from tests.fakes import LABELS, RATE, LoudnessEngine, bursts, small_model, trigger_spec

AUDIO = bursts(0.9, 3.0, seconds=4.5)
SCORE_ATOL = 1e-4  # other BLAS kernels for other portions of rows


def detector(*, scores_per_step: int = 2, warnings: list[str] | None = None) -> Detector:
    return Detector(
        small_model(scores_per_step=scores_per_step),
        LoudnessEngine(scores_per_step),
        {"loud": trigger_spec(), "dull": trigger_spec()},
        warn=(warnings if warnings is not None else []).append,
    )


def hear(target: Detector, pcm: Pcm, *, at: int = 0, portion: int = 1280) -> list[Detection]:
    return [
        found
        for start in range(0, len(pcm), portion)
        for found in target.push(Block(pcm[start : start + portion], at + start, RATE))
    ]


def places(detections: list[Detection]) -> list[tuple[str, int]]:
    return [(found.label, found.sample) for found in detections]


def test_commands_are_heard_where_they_are() -> None:
    detections = hear(detector(), AUDIO)
    assert [found.label for found in detections] == ["loud", "loud"]
    assert 0.9 < detections[0].time_seconds < 1.4
    assert 3.0 < detections[1].time_seconds < 3.5
    assert [found.id for found in detections] == [1, 2]


@pytest.mark.parametrize("scores_per_step", [1, 2, 4])
def test_a_row_ends_after_the_last_sample_of_its_last_frame(scores_per_step: int) -> None:
    target = detector(scores_per_step=scores_per_step)
    spec = target.model.features
    for found in hear(target, AUDIO, at=12_345):
        frames = (found.sample - 12_345 - spec.window) / spec.hop + 1
        assert frames % target.model.frames_per_score == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40))
def test_any_chunking_gives_the_same_detections(portions: list[int]) -> None:
    whole = detector().push(Block(AUDIO, 0, RATE))
    target, cuts = detector(), [0, *np.cumsum(portions), len(AUDIO)]
    parts = [
        found
        for start, stop in itertools.pairwise(cuts)
        if start < min(stop, len(AUDIO))
        for found in target.push(Block(AUDIO[start:stop], int(start), RATE))
    ]
    assert places(parts) == places(whole)
    np.testing.assert_allclose(
        [found.score for found in parts], [found.score for found in whole], atol=SCORE_ATOL
    )


@pytest.mark.parametrize("jump", [1, 40_000, -1, -20_000])
def test_a_jump_of_the_index_starts_anew(jump: int) -> None:
    warnings: list[str] = []
    target = detector(warnings=warnings)
    hear(target, AUDIO)
    after = hear(target, AUDIO, at=len(AUDIO) + jump)
    fresh = hear(detector(), AUDIO, at=len(AUDIO) + jump)
    assert places(after) == places(fresh)
    assert target.counters.gaps == 1
    assert len(warnings) == 1


def test_the_first_block_may_start_anywhere() -> None:
    target = detector()
    shifted = hear(target, AUDIO, at=10**12)
    assert [sample - 10**12 for _, sample in places(shifted)] == [
        sample for _, sample in places(hear(detector(), AUDIO))
    ]
    assert target.counters.gaps == 0


def test_a_detection_holds_plain_numbers_even_where_the_source_counts_in_numpy() -> None:
    (found, *_) = detector().push(Block(AUDIO, np.int64(0), RATE))  # type: ignore[arg-type]
    assert type(found.sample) is int
    assert type(found.score) is float


def test_rows_of_an_unfilled_window_do_not_fire() -> None:
    loud = bursts(0.0, seconds=2.0, length=2.0)
    (found, *_) = hear(detector(), loud)
    window = detector().model.features.samples(detector().model.window_frames)
    assert found.sample >= window


BAD: dict[str, Any] = {
    "nan": np.full(1280, np.nan, np.float32),
    "infinity": np.full(1280, np.inf, np.float32),
    "stereo": np.zeros((1280, 2), np.int16),
    "planar stereo": np.zeros((2, 1280), np.int16),
    "odd size": np.zeros(1281, np.int16),
    "bytes": b"\x00" * 2561,
    "uint8": np.zeros(2561, np.uint8),
    "object": np.array([None] * 5),
    "empty": np.zeros(0, np.int16),
    "cube": np.zeros((40, 40, 40), np.int16),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_good_audio_after_a_bad_block_is_detected_as_before(bad: Any) -> None:
    target = detector()
    hear(target, AUDIO)
    target.push(Block(bad, len(AUDIO), RATE))
    assert len(hear(target, AUDIO, at=len(AUDIO) + 1280)) == 2


def test_a_wrong_rate_is_refused_until_the_rate_is_right() -> None:
    warnings: list[str] = []
    target = detector(warnings=warnings)
    for start in range(0, 48_000, 4800):
        assert target.push(Block(np.full(4800, 9000, np.int16), start, 48_000)) == []
    assert target.counters.refused == 10
    assert len(warnings) == 1
    assert places(hear(target, AUDIO)) == places(hear(detector(), AUDIO))


def test_scores_that_are_not_finite_start_the_states_anew() -> None:
    warnings: list[str] = []
    engine = LoudnessEngine()
    target = Detector(
        small_model(),
        engine,
        {"loud": trigger_spec(), "dull": trigger_spec()},
        warn=warnings.append,
    )
    hear(target, AUDIO)
    for turn in range(1, 4):
        engine.broken = True
        assert len(hear(target, AUDIO, at=turn * len(AUDIO))) == 2
    assert target.counters.non_finite_scores == 3
    assert len(warnings) == 1


def test_counters_tell_what_was_seen() -> None:
    target = detector()
    hear(target, AUDIO)
    target.push(Block(np.zeros((160, 2), np.int16), len(AUDIO), RATE))
    target.push(Block(None, len(AUDIO) + 160, RATE))  # type: ignore[arg-type]
    counters = target.counters
    assert counters.samples == len(AUDIO) + 160
    assert counters.steps == target.model.features.frames(len(AUDIO)) // 8
    assert (counters.repaired, counters.refused, counters.detections) == (1, 1, 2)


def test_scores_of_a_clip_need_no_history() -> None:
    target = detector()
    hear(target, AUDIO)
    again, fresh = target.scores(AUDIO), detector().scores(AUDIO)
    np.testing.assert_allclose(again, fresh, atol=SCORE_ATOL)
    assert again.shape == (target.model.features.frames(len(AUDIO)) // 8 * 2, len(LABELS))


def test_scores_of_a_broken_model_are_an_error() -> None:
    class Broken(LoudnessEngine):
        def step(self, features: np.ndarray) -> np.ndarray:
            return super().step(features) * np.float32(np.nan)

    target = Detector(small_model(), Broken(), {"loud": trigger_spec(), "dull": trigger_spec()})
    with pytest.raises(BundleError, match="NaN"):
        target.scores(AUDIO)
