"""What other thresholds would do: misses against false accepts, and the scores behind them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats
from edgekws.runtime.evaluate import Matches
from edgekws.specs import Spec, TriggerSpec
from edgekws.tuning.heard import Heard, all_matches, hours_of

SWEEP: Final = (*(round(0.30 + 0.05 * i, 2) for i in range(14)), 0.98)
SHIFTS: Final = tuple(0.5 * i for i in range(-5, 7))  # of all thresholds at once, in logits
HIGHEST: Final = 0.999  # a threshold of 1 would never be reached
TRADE_OFFS: Final = 80  # points of a curve over trials at most

Triggers = Mapping[str, TriggerSpec]


class CurvePoint(Spec, frozen=True):
    """What happens with the threshold `on`; `on` is null where several labels have moved."""

    on: float | None
    miss_rate: float
    false_accepts_per_hour: float


@dataclass(frozen=True, slots=True)
class Trials:
    """The highest threshold that each trial would have passed, in [0, 1].

    `said` has a trial for each command of the label, `unsaid` one for each second that lies
    outside of them.
    """

    said: Floats
    unsaid: Floats

    def trade_off(self) -> list[tuple[float, float]]:
        """Return (share of seconds accepted, share of commands missed), threshold rising."""
        every = np.unique(np.concatenate((self.said, self.unsaid)))
        picks = np.linspace(0, len(every) - 1, min(TRADE_OFFS, len(every))).astype(int)
        return [
            (float(np.mean(self.unsaid >= on)), float(np.mean(self.said < on)))
            for on in every[picks]
        ]


def label_curve(
    recordings: Sequence[Heard], triggers: Triggers, label: str
) -> tuple[CurvePoint, ...]:
    """Return misses and false accepts of a label as its threshold moves and the others stay."""
    spec, hours = triggers[label], hours_of(recordings)
    thresholds = sorted({*SWEEP, spec.on})
    near = [heard.near(label, spec, least=thresholds[0]) for heard in recordings]
    return tuple(
        _point(
            all_matches(near, {**triggers, label: _moved(spec, on)}),
            hours,
            on=on,
            label=label,
        )
        for on in thresholds
    )


def common_curve(recordings: Sequence[Heard], triggers: Triggers) -> tuple[CurvePoint, ...]:
    """Return misses and false accepts of all labels as their thresholds rise together."""
    points = []
    for shift in SHIFTS:
        moved = {label: _moved(spec, _shifted(spec.on, shift)) for label, spec in triggers.items()}
        points.append(_point(all_matches(recordings, moved), hours_of(recordings), on=None))
    return tuple(points)


def trials(recordings: Sequence[Heard], label: str, spec: TriggerSpec) -> Trials:
    """Return the trials of a label under the smoothing of its trigger values."""
    said, unsaid = [], []
    for heard in recordings:
        reached = _reached(heard, label, spec)
        free = np.ones(len(reached), np.bool_)
        for truth in heard.truths:
            if truth.label == label:
                last = truth.end + heard.tolerance
                inside = (truth.start <= heard.places) & (heard.places <= last)
                said.append(reached[inside].max(initial=0))
                free &= ~inside
        unsaid.append(_highest_by_second(heard, reached, free))
    return Trials(np.array(said, np.float32), np.concatenate(unsaid or [np.zeros(0, np.float32)]))


def _reached(heard: Heard, label: str, spec: TriggerSpec) -> Floats:
    """Return, for each row, the highest threshold that would be passed there: (rows,)."""
    column = heard.scores[:, heard.model.labels.index(label)]
    rows = max(1, spec.mean_samples // heard.model.samples_per_score)
    total = np.cumsum(np.concatenate((np.zeros(rows), column)), dtype=np.float64)
    means = (total[rows:] - total[:-rows]) / rows
    waiting = np.concatenate((np.zeros(spec.consecutive - 1), means))
    lowest = np.lib.stride_tricks.sliding_window_view(waiting, spec.consecutive).min(axis=1)
    return np.asarray(np.clip(lowest, 0, 1), np.float32)


def _highest_by_second(heard: Heard, reached: Floats, free: NDArray[np.bool_]) -> Floats:
    kept, seconds = reached[free], heard.places[free] // heard.model.features.sample_rate
    starts = np.flatnonzero(np.diff(seconds, prepend=-1))
    return np.asarray(np.maximum.reduceat(kept, starts)) if len(kept) else kept


def _point(
    matches: Matches, hours: float, *, on: float | None, label: str | None = None
) -> CurvePoint:
    """Return the point of one label, or that of all together."""
    missed = [truth for truth in matches.missed if label in (None, truth.label)]
    hits = [truth for _, truth in matches.hits if label in (None, truth.label)]
    wrong = [found for found in matches.false_accepts if label in (None, found.label)]
    return CurvePoint(
        on=on,
        miss_rate=len(missed) / max(1, len(missed) + len(hits)),
        false_accepts_per_hour=len(wrong) / hours,
    )


def _moved(spec: TriggerSpec, on: float) -> TriggerSpec:
    """Return the values with another threshold, `off` in the same proportion to it."""
    off = min(on, spec.off * on / spec.on)
    return msgspec.structs.replace(spec, on=on, off=off)


def _shifted(on: float, shift: float) -> float:
    held = min(on, HIGHEST)
    logit = math.log(held / (1 - held)) + shift
    return min(HIGHEST, 1 / (1 + math.exp(-logit)))
