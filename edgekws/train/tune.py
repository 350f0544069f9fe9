"""Thresholds chosen, not guessed: the device's own trigger over a long stream and a budget."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.bundle.manifest import StreamMetrics
from edgekws.events import Detection, Floats
from edgekws.runtime.evaluate import TOLERANCE_SECONDS, Matches, Truth, match_detections
from edgekws.runtime.trigger import Trigger
from edgekws.specs import ModelSpec, TriggerSpec
from edgekws.train.stream import Stream

THRESHOLDS: Final = (*(round(0.40 + 0.04 * i, 2) for i in range(15)), 0.98)
MEAN_ROWS: Final = (3, 6, 10)  # lengths of the smoothing that are tried
HYSTERESIS: Final = 0.6  # off = this much of on
REFRACTORY_SECONDS: Final = 1.0
CONSECUTIVE: Final = 2


def choose_triggers(
    score_rows: Floats,
    row_samples: NDArray[np.int64],
    stream: Stream,
    *,
    model: ModelSpec,
    budget_per_hour: float,
    data: str,
) -> tuple[dict[str, TriggerSpec], StreamMetrics]:
    """Return each command's trigger values, and their figures on audio they were not chosen on.

    score_rows: (rows, n_labels) posteriors of the whole stream by the device's engine; row_samples:
    (rows,) the sample just after each row. On the first part each label takes the lowest threshold
    whose false accepts stay within its equal share of the budget, then goes half of the way up to
    the highest that misses no more commands: a part without a false accept is no proof that there
    are none. The smoothing is the one that misses least there.
    """
    tuning = row_samples <= stream.tune_end
    best: tuple[float, dict[str, TriggerSpec]] | None = None
    for mean_rows in MEAN_ROWS:
        first = (score_rows[tuning], row_samples[tuning], stream, model)
        lowest = _thresholds(*first, mean_rows, budget_per_hour)
        chosen = _raised(*first, mean_rows, lowest)
        missed = _mean_miss_rate(_matches(*first, chosen))
        if best is None or missed < best[0]:
            best = (missed, chosen)
    assert best is not None
    rest = ~tuning
    matches = _matches(score_rows[rest], row_samples[rest], stream, model, best[1])
    hours = (len(stream.pcm) - stream.tune_end) / model.features.sample_rate / 3600
    return best[1], StreamMetrics(
        data=data,
        hours=hours,
        false_accepts_per_hour_budget=budget_per_hour,
        false_accepts_per_hour=len(matches.false_accepts) / hours,
        miss_rate=miss_rates(matches),
    )


def miss_rates(matches: Matches) -> dict[str, float]:
    """Return the share of each label's commands that were missed."""
    hit = [truth.label for _, truth in matches.hits]
    missed = [truth.label for truth in matches.missed]
    return {
        label: missed.count(label) / (missed + hit).count(label)
        for label in sorted({*hit, *missed})
    }


def _thresholds(
    scores: Floats,
    samples: NDArray[np.int64],
    stream: Stream,
    model: ModelSpec,
    mean_rows: int,
    budget_per_hour: float,
) -> dict[str, TriggerSpec]:
    """Return the lowest thresholds that keep the budget, lowered together from the highest.

    Every set of thresholds that is taken was tried as a whole: where two labels rise together only
    one is detected, so that one label's threshold bears on the other's false accepts. A label
    that is over its share even at the highest threshold stays there.
    """
    hours = stream.tune_end / model.features.sample_rate / 3600
    allowed = budget_per_hour * hours / len(model.commands)

    def over_share(trial: dict[str, TriggerSpec]) -> set[str]:
        false_accepts = _matches(scores, samples, stream, model, trial).false_accepts
        wrong = [detection.label for detection in false_accepts]
        return {label for label in model.commands if wrong.count(label) > allowed}

    chosen = {label: _trigger(THRESHOLDS[-1], mean_rows, model) for label in model.commands}
    lost = over_share(chosen)
    open_labels = set(model.commands) - lost
    for on in reversed(THRESHOLDS[:-1]):
        while open_labels:
            trial = chosen | {label: _trigger(on, mean_rows, model) for label in open_labels}
            over = over_share(trial) - lost
            if not over:
                chosen = trial
                break
            open_labels -= (over & open_labels) or open_labels
    return chosen


def _raised(
    scores: Floats,
    samples: NDArray[np.int64],
    stream: Stream,
    model: ModelSpec,
    mean_rows: int,
    lowest: dict[str, TriggerSpec],
) -> dict[str, TriggerSpec]:
    """Return thresholds half of the way up to the highest that cost no label a command."""
    before = miss_rates(_matches(scores, samples, stream, model, lowest))
    highest, rising = {label: spec.on for label, spec in lowest.items()}, set(before)
    for on in THRESHOLDS:
        higher = {label for label in rising if highest[label] < on}
        trial = {
            label: _trigger(on if label in higher else highest[label], mean_rows, model)
            for label in lowest
        }
        after = miss_rates(_matches(scores, samples, stream, model, trial))
        rising -= {label for label in higher if after[label] > before[label]}
        highest.update(dict.fromkeys(higher & rising, on))
    return {
        label: _trigger(round((spec.on + highest[label]) / 2, 3), mean_rows, model)
        for label, spec in lowest.items()
    }


def _trigger(on: float, mean_rows: int, model: ModelSpec) -> TriggerSpec:
    return TriggerSpec(
        on=on,
        off=round(on * HYSTERESIS, 3),
        mean_samples=mean_rows * model.samples_per_score,
        consecutive=CONSECUTIVE,
        refractory_samples=int(REFRACTORY_SECONDS * model.features.sample_rate),
    )


def _matches(
    scores: Floats,
    samples: NDArray[np.int64],
    stream: Stream,
    model: ModelSpec,
    triggers: dict[str, TriggerSpec],
) -> Matches:
    """Run the trigger over rows and match what it gives with the truth of the same stretch."""
    found: list[Detection] = Trigger(model, triggers).push(scores, samples.tolist())
    first, last = (int(samples[0]), int(samples[-1])) if len(samples) else (0, 0)
    truths = [
        Truth(int(start), int(end), model.labels[int(label)])
        for start, end, label in stream.truth
        if first <= start and end <= last
    ]
    tolerance = int(TOLERANCE_SECONDS * model.features.sample_rate)
    return match_detections(found, truths, tolerance_samples=tolerance)


def _mean_miss_rate(matches: Matches) -> float:
    rates = list(miss_rates(matches).values())
    return float(np.mean(rates)) if rates else 0.0
