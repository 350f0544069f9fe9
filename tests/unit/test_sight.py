"""Near misses and explanations: the scores of a detector, by its own arithmetic."""

from typing import Final

import numpy as np
import pytest

from edgekws.events import Block, Detection, Floats, NearMiss
from edgekws.runtime.detector import Detector
from edgekws.runtime.moments import MOMENTS
from edgekws.runtime.score_ring import RING_SECONDS, ScoreRing
from edgekws.runtime.sight import Sight
from tests.fakes import LABELS, RATE, small_model, trigger_spec

MODEL: Final = small_model()
APART: Final = MODEL.samples_per_score  # 640
MEAN_ROWS: Final = 4
QUIET: Final = [0.0] * 30  # 1.2 s: longer than what is waited for after a rise
ROUNDING: Final = 6e-5  # scores are sent with four digits


class Script:
    """Says the given scores of "loud" and "dull", one after the other, whatever it hears."""

    def __init__(self, loud: list[float], dull: list[float] | None = None) -> None:
        self.rows = list(zip(loud, dull or [0.0] * len(loud), strict=True))

    def step(self, features: Floats) -> Floats:
        said, self.rows = self.rows[:2], self.rows[2:]
        return np.array([(1 - a - b, 0, a, b) for a, b in said], np.float32)

    def reset(self) -> None:
        pass


class Watched:
    """A detector that hears a script, with a sight on it."""

    def __init__(self, *loud: list[float], dull: list[float] | None = None) -> None:
        rows = [*QUIET, *(score for part in loud for score in part), *QUIET]
        self.engine = Script(rows, dull and [*QUIET, *dull, *QUIET])
        self.detector = detector(self.engine)
        self.sight = Sight(self.detector, fraction=0.6)
        self.detector.observe = self.sight.observe
        self.detections: list[Detection] = []
        self.misses: list[NearMiss] = []
        self.at = 0
        self.hear(len(rows))

    def hear(self, rows: int, *, jump: int = 0) -> None:
        self.at += jump
        lead = 0 if self.at else MODEL.features.window - MODEL.features.hop
        for samples in (lead, *[2 * APART] * (rows // 2)):
            block = Block(np.zeros(samples, np.int16), self.at, RATE)
            self.at = block.end
            found = self.detector.push(block) if samples else []
            self.detections += found
            self.misses += self.sight.settle(found)


def detector(engine: Script) -> Detector:
    return Detector(MODEL, engine, {"loud": trigger_spec(), "dull": trigger_spec()})


def test_a_score_that_rises_but_not_enough_is_a_near_miss() -> None:
    watched = Watched([0.5] * 8)
    (miss,) = watched.misses
    assert (miss.id, miss.label, miss.on) == (1, "loud", 0.6)
    assert miss.peak == pytest.approx(0.5)
    rows_before = len(QUIET) + 3  # the mean of 4 rows is 0.36 and more with the third of 0.5
    assert miss.sample == pytest.approx(rows_before * APART, abs=APART)
    assert watched.detections == []


def test_a_score_that_hardly_rises_is_none() -> None:
    assert Watched([0.35] * 20).misses == []


def test_a_command_that_is_heard_is_none() -> None:
    watched = Watched([0.4] * 6, [0.9] * 10, [0.4] * 6)
    assert [d.label for d in watched.detections] == ["loud"]
    assert watched.misses == []


def test_what_rises_beside_a_command_is_none() -> None:
    watched = Watched([0.5] * 12, dull=[0.0] * 6 + [0.4] * 6)
    assert [m.label for m in watched.misses] == ["loud", "dull"]
    watched = Watched([0.8] * 12, dull=[0.0] * 2 + [0.2] * 10)
    assert [d.label for d in watched.detections] == ["loud"]
    assert watched.misses == []


def test_a_score_that_was_high_enough_but_too_short_is_a_near_miss_of_its_peak() -> None:
    (miss,) = Watched([0.62] * MEAN_ROWS).misses
    assert miss.peak == pytest.approx(0.62)
    assert miss.peak > miss.on


def test_what_is_cut_off_by_a_gap_is_none() -> None:
    watched = Watched()
    watched.engine.rows = [(0.5, 0.0)] * 8 + [(0.0, 0.0)] * len(QUIET)
    watched.hear(8)
    watched.hear(len(QUIET), jump=12_345)
    assert watched.misses == []


def test_a_detection_is_explained_by_the_means_that_made_it() -> None:
    watched = Watched([0.3, 0.5, 0.7], [0.9] * 8)
    (detection,) = watched.detections
    told = watched.sight.explain("detection", 1)
    assert told is not None
    assert (told.kind, told.label, told.sample) == ("detection", "loud", detection.sample)
    assert told.labels == LABELS
    assert told.trigger == trigger_spec()
    by_end = dict(zip(told.ends, told.means, strict=True))
    assert by_end[detection.sample] == pytest.approx(detection.score, abs=ROUNDING)
    assert by_end[detection.sample - 2 * APART] < told.trigger.on
    assert min(told.ends) >= detection.sample - 1.5 * RATE
    assert max(told.ends) <= detection.sample + 1.0 * RATE
    assert np.diff(told.ends).tolist() == [APART] * (len(told.ends) - 1)


def test_a_near_miss_is_explained_and_what_is_not_known_is_not() -> None:
    watched = Watched([0.5] * 8)
    told = watched.sight.explain("near miss", 1)
    assert told is not None
    assert max(told.means) == pytest.approx(0.5, abs=ROUNDING)
    assert watched.sight.explain("detection", 1) is None
    assert watched.sight.explain("near miss", 2) is None


def test_a_moment_is_explained_after_a_reload_too() -> None:
    watched = Watched([0.9] * 8)
    before = watched.sight.explain("detection", 1)
    watched.sight.follow(detector(Script([])))
    assert before is not None
    assert watched.sight.explain("detection", 1) == before


def test_only_the_last_moments_are_kept() -> None:
    watched = Watched(*[[0.9] * 8, QUIET] * (MOMENTS + 1))
    assert len(watched.detections) == MOMENTS + 1
    assert watched.sight.explain("detection", 1) is None
    assert watched.sight.explain("detection", 2) is not None
    assert watched.sight.explain("detection", MOMENTS + 1) is not None


def test_scores_that_are_none_begin_anew() -> None:
    watched = Watched([0.5] * 4, [float("nan")] * 2, [0.0] * 4)
    assert watched.misses == []
    assert np.isfinite(watched.sight.scores().scores).all()


def test_the_ring_holds_the_newest_rows_in_their_order() -> None:
    ring = ScoreRing(MODEL)
    steps = 2 * RING_SECONDS * RATE // (2 * APART)
    rows = np.arange(steps * 2 * len(LABELS), dtype=np.float32).reshape(-1, len(LABELS))
    for step in range(steps):
        ring.push(rows[2 * step : 2 * step + 2], (step + 1) * 2 * APART)
    stretch = ring.stretch()
    held = len(stretch.ends)
    assert held * APART >= RING_SECONDS * RATE
    assert stretch.scores.tolist() == rows[-held:].tolist()
    assert stretch.ends.tolist() == list(range((2 * steps - held + 1) * APART, ring.end + 1, APART))
    ring.push(rows[:2], ring.end + 1)
    assert ring.stretch().scores.tolist() == rows[:2].tolist()
