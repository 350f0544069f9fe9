"""What the scores look like: the last seconds, around each detection, and near misses."""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from edgekws.events import Detection, Floats, NearMiss
from edgekws.runtime.detector import Detector, rows_to_fill
from edgekws.runtime.moments import (
    AFTER_SECONDS,
    Explanation,
    Kind,
    Moment,
    Moments,
    mean_rows,
    rounded,
)
from edgekws.runtime.score_ring import ScoreRing
from edgekws.runtime.trigger import Trigger
from edgekws.specs import Spec, TriggerSpec

LOOK_STEPS: Final = 8  # at a time: a near miss is told a second later anyway, and it costs less


class Scores(Spec, frozen=True):
    """The newest scores: a row for each of `ends`; `on` is each label's, None of what is none."""

    labels: tuple[str, ...]
    on: tuple[float | None, ...]
    sample_rate: int
    ends: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    ok: bool = True


class Sight:
    """Watches every step of a detector; what others ask holds it up for microseconds.

    A near miss is where the mean score of a command rose to `fraction` of its `on`, by the very
    arithmetic of the trigger, and no command was detected around it.
    """

    def __init__(self, detector: Detector, *, fraction: float) -> None:
        self._fraction = fraction
        self._lock = threading.Lock()
        self._moments = Moments()
        self._next_id = 1
        self._last = -1  # sample of the last detection
        self._watch(detector)

    def follow(self, detector: Detector) -> None:
        """Watch another detector from now on; what was kept to be explained stays."""
        with self._lock:
            self._moments.close(self._ring)
            self._watch(detector)

    def _watch(self, detector: Detector) -> None:
        self._detector, model = detector, detector.model
        self._ring = ScoreRing(model)
        self._near = Trigger(model, lowered(detector.triggers, self._fraction))
        self._batch = LOOK_STEPS * model.scores_per_step
        self._after = round(AFTER_SECONDS * model.features.sample_rate)
        self._restart()

    def observe(self, scores: Floats | None, end: int) -> None:
        """Take what came of one step; see `detector.Observe`."""
        with self._lock:
            if scores is None or not self._ring.follows(end):
                self._moments.close(self._ring)
                self._ring.clear()
                self._restart()
            if scores is None:
                return
            self._ring.push(scores, end)
            self._unseen += len(scores)
            if self._unseen >= self._batch:
                self._look()

    def settle(self, detections: Sequence[Detection]) -> list[NearMiss]:
        """Take what a block's steps detected, and return the near misses that are over now."""
        with self._lock:
            for detection in detections:
                self._last = detection.sample
                self._keep("detection", detection.id, detection.label, detection.sample)
            self._moments.complete(self._ring)
            return self._missed() if self._rising else []

    def explain(self, kind: Kind, number: int) -> Explanation | None:
        """Return the scores around a detection or near miss, None where they are not held."""
        with self._lock:
            return self._moments.explain(kind, number, self._ring)

    def scores(self) -> Scores:
        """Return the newest scores."""
        with self._lock:
            detector, stretch = self._detector, self._ring.stretch()
        labels, triggers = detector.model.labels, detector.triggers
        return Scores(
            labels=labels,
            on=tuple(triggers[label].on if label in triggers else None for label in labels),
            sample_rate=detector.model.features.sample_rate,
            ends=tuple(stretch.ends.tolist()),
            scores=rounded(stretch.scores),
        )

    def _restart(self) -> None:
        """Begin as the detector does after a gap."""
        self._rising: list[Detection] = []
        self._near.reset()
        self._unfilled = rows_to_fill(self._detector.model) - 1
        self._unseen = 0

    def _look(self) -> None:
        """Show the rows it has not seen, and whose window is full, to the lowered trigger."""
        rows = self._ring.stretch(self._unseen)
        skip = min(self._unfilled, self._unseen)
        self._unfilled -= skip
        self._unseen = 0
        self._rising += self._near.push(rows.scores[skip:], rows.ends[skip:].tolist())

    def _missed(self) -> list[NearMiss]:
        """Return what rose long enough ago to know that nothing was detected around it."""
        over = [rise for rise in self._rising if rise.sample + self._after <= self._ring.end]
        self._rising = [rise for rise in self._rising if rise not in over]
        return [self._miss(rise) for rise in over if not self._was_heard(rise)]

    def _was_heard(self, rise: Detection) -> bool:
        before = self._detector.triggers[rise.label].refractory_samples
        return self._last >= 0 and rise.sample - before <= self._last <= rise.sample + self._after

    def _miss(self, rise: Detection) -> NearMiss:
        number, self._next_id = self._next_id, self._next_id + 1
        self._keep("near miss", number, rise.label, rise.sample)
        spec = self._detector.triggers[rise.label]
        peak = max(rise.score, self._peak(rise, spec))
        return NearMiss(number, rise.label, peak, spec.on, rise.sample, rise.time_seconds)

    def _peak(self, rise: Detection, spec: TriggerSpec) -> float:
        model, stretch = self._detector.model, self._ring.stretch()
        means = stretch.means(model.labels.index(rise.label), mean_rows(model, spec))
        return float(means[stretch.ends >= rise.sample].max(initial=0.0))

    def _keep(self, kind: Kind, number: int, label: str, sample: int) -> None:
        detector = self._detector
        trigger = detector.triggers[label]
        self._moments.keep(Moment(kind, number, label, sample, detector.model, trigger))


def lowered(triggers: Mapping[str, TriggerSpec], fraction: float) -> dict[str, TriggerSpec]:
    """Return triggers that tell of each rise of the mean to a fraction of `on`, once."""
    return {
        label: TriggerSpec(
            on=spec.on * fraction,
            off=spec.off * fraction,
            mean_samples=spec.mean_samples,
            consecutive=1,
            refractory_samples=0,
        )
        for label, spec in triggers.items()
    }
