"""When posteriors become a detection: smoothing, hysteresis, refractory; its clock is samples."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edgekws.events import Detection, Floats
from edgekws.specs import ModelSpec, TriggerSpec

ROUNDING: Final = np.float32(1e-4)  # the mean of some rows may lie above the largest, but by less


class Trigger:
    """Turns rows of posteriors into detections, by the values of each command label.

    A row's mean covers the rows that end within the last `mean_samples` (at least one); rows
    before the start of the stream count as zero, so that a start is never more eager than a stream.
    """

    def __init__(self, model: ModelSpec, triggers: Mapping[str, TriggerSpec]) -> None:
        self._labels = model.commands
        self._columns = np.array([model.labels.index(label) for label in self._labels], np.intp)
        self._sample_rate = model.features.sample_rate
        specs = [triggers[label] for label in self._labels]
        self._on = np.array([spec.on for spec in specs], np.float32)
        self._stirring = self._on * (1 - ROUNDING)  # no mean is hot while every row is below this
        self._off = np.array([spec.off for spec in specs], np.float32)
        self._consecutive = np.array([spec.consecutive for spec in specs], np.int64)
        self._refractory = np.array([spec.refractory_samples for spec in specs], np.int64)
        rows = [max(1, spec.mean_samples // model.samples_per_score) for spec in specs]
        self._depth = max(rows, default=1)
        self._counted = _newest(rows, self._depth)  # (depth, commands)
        self._rows = np.array(rows, np.float32)
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget the stream; detection ids go on counting."""
        count = len(self._labels)
        self._past = np.zeros((self._depth - 1, count), np.float32)  # the rows before the next one
        self._streak = np.zeros(count, np.int64)  # rows in a row at or above `on`
        self._armed = np.ones(count, np.bool_)
        self._fell = np.ones(count, np.bool_)  # below `off` since the last detection
        self._last = np.zeros(count, np.int64)  # sample of the last detection
        self._idle = True  # every label armed and every streak 0

    @property
    def next_id(self) -> int:
        """The id of the next detection."""
        return self._next_id

    def number_from(self, next_id: int) -> None:
        """Give the next detection this id."""
        self._next_id = next_id

    def push(self, scores: Floats, samples: Sequence[int]) -> list[Detection]:
        """Take posteriors (rows, n_labels) and the sample index just after each row."""
        assert len(scores) == len(samples), (scores.shape, len(samples))
        rows = np.concatenate((self._past, scores.take(self._columns, axis=1)))
        self._past = rows[len(scores) :]
        if self._idle and not np.count_nonzero(rows >= self._stirring):
            return []  # as most pushes end: the means are not worth their cost
        means = self._means(rows, len(samples))
        hot = means >= self._on
        if self._idle and not np.count_nonzero(hot):
            return []
        detections = []
        for at, sample in enumerate(samples):
            if self._idle and not hot[at].any():
                continue
            winner = self._advance(means[at], hot[at], sample)
            if winner is not None:
                detections.append(self._detect(winner, float(means[at, winner]), sample))
        return detections

    def _means(self, rows: Floats, count: int) -> Floats:
        """Return each command's mean at the last so many of rows: (count, commands)."""
        apart, across = rows.strides
        windows = np.ndarray(  # (count, depth, commands), without a copy
            (count, *self._counted.shape), rows.dtype, rows, strides=(apart, apart, across)
        )
        return np.asarray(np.einsum("nrc,rc->nc", windows, self._counted) / self._rows)

    def _advance(self, means: Floats, hot: np.ndarray, sample: int) -> int | None:
        """Move every label on by one row; return the index of the label that fires."""
        self._fell |= means < self._off
        self._armed |= self._fell & (sample - self._last >= self._refractory)
        self._streak = np.where(hot & self._armed, self._streak + 1, 0)
        firing = self._streak >= self._consecutive
        self._idle = bool(self._armed.all()) and not self._streak.any()
        if not firing.any():
            return None
        self._armed[firing] = self._fell[firing] = self._idle = False
        self._streak[firing] = 0
        self._last[firing] = sample
        return int(np.argmax(np.where(firing, means, -1.0)))

    def _detect(self, winner: int, score: float, sample: int) -> Detection:
        self._next_id += 1
        return Detection(
            id=self._next_id - 1,
            label=self._labels[winner],
            score=min(score, 1.0),
            sample=sample,
            time_seconds=sample / self._sample_rate,
        )


def _newest(rows: Sequence[int], depth: int) -> Floats:
    """Return (depth, commands): 1 for the newest `rows` of each command, else 0."""
    age = np.arange(depth)[::-1, None]  # 0 is the newest row, which stands last
    return (age < np.array(rows)).astype(np.float32)
