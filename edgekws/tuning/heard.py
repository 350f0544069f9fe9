"""One recording as the device heard it: rows of scores, and what was truly said in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Detection, Floats, Pcm
from edgekws.runtime.detector import Detector, rows_to_fill
from edgekws.runtime.evaluate import TOLERANCE_SECONDS, Matches, Truth, match_detections
from edgekws.runtime.trigger import ROUNDING, Trigger
from edgekws.specs import ModelSpec, TriggerSpec

PORTION_ROWS: Final = 25  # pushed at a time: the trigger passes over a quiet portion at once


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of audio from sample `start` up to `end`, and its commands.

    `scores` is (rows, n_labels), the rows that the device's trigger sees; `places` (rows,) holds
    the sample just after each row.
    """

    model: ModelSpec
    scores: Floats
    places: NDArray[np.int64]
    truths: tuple[Truth, ...]
    start: int
    end: int

    @property
    def hours(self) -> float:
        """Length of the audio."""
        return (self.end - self.start) / self.model.features.sample_rate / 3600

    @property
    def tolerance(self) -> int:
        """Samples after the end of a command in which it may still be detected."""
        return round(TOLERANCE_SECONDS * self.model.features.sample_rate)

    def detections(self, triggers: Mapping[str, TriggerSpec]) -> list[Detection]:
        """Return what the device's trigger makes of the scores; after a gap it starts anew."""
        trigger, found, places = Trigger(self.model, triggers), [], self.places.tolist()
        for first, last in self._runs():
            trigger.reset()
            for at in range(first, last, PORTION_ROWS):
                rows = slice(at, min(at + PORTION_ROWS, last))
                found += trigger.push(self.scores[rows], places[rows])
        return found

    def matches(self, triggers: Mapping[str, TriggerSpec]) -> Matches:
        """Return its detections under these values, matched with its commands."""
        return match_detections(
            self.detections(triggers), self.truths, tolerance_samples=self.tolerance
        )

    def near(self, label: str, spec: TriggerSpec, *, least: float) -> "Heard":
        """Return the rows by which the label could be detected at a threshold of `least` or more.

        With what its trigger values reach back to: what is left out is quiet to this label.
        """
        hot = self.scores[:, self.model.labels.index(label)] >= least * (1 - ROUNDING)
        back = spec.mean_samples + spec.refractory_samples + self.tolerance
        reach = 2 * (back // self.model.samples_per_score) + 1
        kept = np.convolve(hot, np.ones(reach), "full")[reach // 2 :][: len(hot)] > 0
        return replace(self, scores=self.scores[kept], places=self.places[kept])

    def cut(self, at: int) -> "tuple[Heard, Heard]":
        """Return the parts before and from sample `at`, which lies in no command."""
        before = self.places <= at
        first = tuple(truth for truth in self.truths if truth.end <= at)
        second = tuple(truth for truth in self.truths if truth.start >= at)
        assert len(first) + len(second) == len(self.truths), at
        return (
            Heard(self.model, self.scores[before], self.places[before], first, self.start, at),
            Heard(self.model, self.scores[~before], self.places[~before], second, at, self.end),
        )

    def middle(self) -> int | None:
        """Return the sample nearest the middle where no command is, None where one always is."""
        half, taken = (self.start + self.end) // 2, sorted(self._taken())
        places = [half, *(end for _, end in taken), *(start for start, _ in taken)]
        free = [
            place
            for place in places
            if self.start < place < self.end and not any(a < place < b for a, b in taken)
        ]
        return min(free, key=lambda place: abs(place - half), default=None)

    def _runs(self) -> list[tuple[int, int]]:
        """Return the first row and the one after the last of each stretch without a gap."""
        jumps = np.flatnonzero(np.diff(self.places) != self.model.samples_per_score) + 1
        return list(pairwise([0, *jumps.tolist(), len(self.places)]))

    def _taken(self) -> list[tuple[int, int]]:
        """Return the spans in which commands are said and may be detected."""
        return [(truth.start, truth.end + self.tolerance) for truth in self.truths]


def hear(detector: Detector, pcm: Pcm, truths: Iterable[Truth] = ()) -> Heard:
    """Let a detector score a whole recording; BundleError where its model gives no numbers."""
    model = detector.model
    scores = detector.scores(pcm)
    first = model.features.samples(model.frames_per_score)
    places = first + model.samples_per_score * np.arange(len(scores), dtype=np.int64)
    unseen = rows_to_fill(model) - 1
    return Heard(model, scores[unseen:], places[unseen:], tuple(truths), 0, len(pcm))


def all_matches(recordings: Sequence[Heard], triggers: Mapping[str, TriggerSpec]) -> Matches:
    """Return the matches of all recordings together."""
    each = [heard.matches(triggers) for heard in recordings]
    return Matches(
        hits=tuple(hit for one in each for hit in one.hits),
        missed=tuple(truth for one in each for truth in one.missed),
        duplicates=tuple(found for one in each for found in one.duplicates),
        false_accepts=tuple(found for one in each for found in one.false_accepts),
    )


def hours_of(recordings: Sequence[Heard]) -> float:
    """Return the length of all recordings together."""
    return sum(heard.hours for heard in recordings)
