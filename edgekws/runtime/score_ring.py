"""The last seconds of scores, of one model: numbers between 0 and 1, and no way back to audio."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats
from edgekws.specs import ModelSpec

RING_SECONDS: Final = 12


class Stretch(msgspec.Struct, frozen=True):
    """Rows that follow one another: `ends` (rows,) sample indices, `scores` (rows, n_labels)."""

    ends: NDArray[np.int64]
    scores: Floats

    def between(self, first: int, last: int) -> "Stretch":
        """Return the rows that end within two sample indices, both included."""
        chosen = (self.ends >= first) & (self.ends <= last)
        return Stretch(self.ends[chosen], self.scores[chosen])

    def means(self, column: int, rows: int) -> Floats:
        """Return a label's mean over its last so many rows, at each row; before them is zero."""
        sums = np.cumsum(np.concatenate((np.zeros(rows), self.scores[:, column])))
        return ((sums[rows:] - sums[:-rows]) / rows).astype(np.float32)


class ScoreRing:
    """Holds the newest rows; what came before a gap, or before scores that are none, is let go."""

    def __init__(self, model: ModelSpec) -> None:
        self._apart = model.samples_per_score
        self._per_step = model.scores_per_step
        steps = RING_SECONDS * model.features.sample_rate // (self._apart * self._per_step) + 1
        self._rows = steps * self._per_step
        self._scores = np.zeros((self._rows, len(model.labels)), np.float32)
        self._count, self._end = 0, 0

    def follows(self, end: int) -> bool:
        """Return whether a step that ends at a sample index goes on where the newest row ends."""
        return self._count > 0 and end - self._end == self._per_step * self._apart

    def push(self, scores: Floats, end: int) -> None:
        """Take the rows of a step that ends at a sample index; those before a gap are let go."""
        if not self.follows(end):
            self._count = 0
        at = self._count % self._rows
        self._scores[at : at + self._per_step] = scores
        self._count += self._per_step
        self._end = end

    def clear(self) -> None:
        """Let go of all rows."""
        self._count = 0

    @property
    def end(self) -> int:
        """The sample index after the newest row."""
        return self._end

    def stretch(self, rows: int | None = None) -> Stretch:
        """Return a copy of the newest rows, or of all, oldest first."""
        held = min(self._count, self._rows if rows is None else rows)
        chosen = np.arange(self._count - held, self._count)
        ends = self._end - (self._count - 1 - chosen) * self._apart
        return Stretch(ends, self._scores[chosen % self._rows])
