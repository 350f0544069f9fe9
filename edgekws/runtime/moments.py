"""What can be explained: the scores around the last detections and near misses."""

from collections import deque
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from edgekws.events import Floats
from edgekws.runtime.score_ring import ScoreRing, Stretch
from edgekws.specs import ModelSpec, Spec, TriggerSpec

BEFORE_SECONDS: Final = 1.5
AFTER_SECONDS: Final = 1.0
MOMENTS: Final = 32  # that are kept; each is some kilobytes

Kind = Literal["detection", "near miss"]


class Explanation(Spec, frozen=True):
    """The scores around one moment.

    `ends` are sample indices, `scores` has a row for each, `labels` name its columns; `means` are
    those of `label`, which `trigger` is about.
    """

    kind: Kind
    id: int
    label: str
    sample: int
    sample_rate: int
    trigger: TriggerSpec
    labels: tuple[str, ...]
    ends: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    means: tuple[float, ...]
    ok: bool = True


class Moment(msgspec.Struct, frozen=True):
    """A detection or near miss, by which model and trigger, and its rows once all have come."""

    kind: Kind
    id: int
    label: str
    sample: int
    model: ModelSpec
    trigger: TriggerSpec
    stretch: Stretch | None = None


class Moments:
    """Keeps the last ones; rows are copied from the ring when they have come, or go away."""

    def __init__(self) -> None:
        self._kept: deque[Moment] = deque(maxlen=MOMENTS)
        self._open: list[Moment] = []  # whose rows still come

    def keep(self, moment: Moment) -> None:
        """Keep one more."""
        self._open.append(moment)

    def complete(self, ring: ScoreRing) -> None:
        """Copy the rows of those that lie far enough back to have all of them."""
        if self._open and ring.end >= _last(self._open[0]):
            self.close(ring, until=ring.end)

    def close(self, ring: ScoreRing, *, until: int | None = None) -> None:
        """Copy the rows there are of all that end until a sample index, or of all."""
        over = [each for each in self._open if until is None or _last(each) <= until]
        self._open = [each for each in self._open if each not in over]
        self._kept.extend(replace(each, stretch=_around(each, ring)) for each in over)

    def explain(self, kind: Kind, number: int, ring: ScoreRing) -> Explanation | None:
        """Return what there is to say of one, None where it is not kept."""
        for moment in (*self._kept, *self._open):
            if (moment.kind, moment.id) == (kind, number):
                return _explained(moment, moment.stretch or _around(moment, ring))
        return None


def mean_rows(model: ModelSpec, trigger: TriggerSpec) -> int:
    """Return over how many rows the trigger takes its mean."""
    return max(1, trigger.mean_samples // model.samples_per_score)


def rounded(scores: Floats) -> tuple[tuple[float, ...], ...]:
    """Return rows to four digits, as they are sent and shown."""
    return tuple(tuple(row) for row in np.round(scores.astype(np.float64), 4).tolist())


def _last(moment: Moment) -> int:
    return moment.sample + round(AFTER_SECONDS * moment.model.features.sample_rate)


def _around(moment: Moment, ring: ScoreRing) -> Stretch:
    first = moment.sample - round(BEFORE_SECONDS * moment.model.features.sample_rate)
    return ring.stretch().between(first, _last(moment))


def _explained(moment: Moment, stretch: Stretch) -> Explanation:
    model = moment.model
    column = model.labels.index(moment.label)
    means = stretch.means(column, mean_rows(model, moment.trigger))
    return Explanation(
        kind=moment.kind,
        id=moment.id,
        label=moment.label,
        sample=moment.sample,
        sample_rate=model.features.sample_rate,
        trigger=moment.trigger,
        labels=model.labels,
        ends=tuple(stretch.ends.tolist()),
        scores=rounded(stretch.scores),
        means=rounded(means[None])[0],
    )
