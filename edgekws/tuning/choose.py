"""Thresholds chosen, not guessed: the device's own trigger over recordings and a budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgekws.runtime.evaluate import miss_rates
from edgekws.specs import ModelSpec, TriggerSpec
from edgekws.tuning.heard import Heard, all_matches, hours_of

THRESHOLDS: Final = (*(round(0.40 + 0.04 * i, 2) for i in range(15)), 0.98)
ROW_SECONDS: Final = 0.04  # rows that come more often are smoothed over as long a time
MEAN_ROWS: Final = (3, 6, 10)  # lengths of the smoothing that are tried
HYSTERESIS: Final = 0.6  # off = this much of on
REFRACTORY_SECONDS: Final = 1.0
CONSECUTIVE: Final = 2

Triggers = dict[str, TriggerSpec]


def choose_triggers(
    recordings: Sequence[Heard],
    *,
    budget_per_hour: float,
    kept: Mapping[str, TriggerSpec] | None = None,
) -> Triggers:
    """Return each command's trigger values for a budget of false accepts per hour.

    Each label takes the lowest threshold whose false accepts stay within its equal share of the
    budget, then goes half of the way up to the highest that misses no more commands: a recording
    without a false accept is no proof that there are none. The smoothing is the one that misses
    least. Labels in `kept` stay at the values given there.
    """
    tried = []
    for mean_rows in MEAN_ROWS:
        search = _Search(recordings, recordings[0].model, mean_rows, dict(kept or {}))
        chosen = search.raised(search.lowest(budget_per_hour))
        rates = miss_rates(all_matches(recordings, chosen)).values()
        tried.append((float(np.mean(list(rates))) if rates else 0.0, chosen))
    return min(tried, key=lambda pair: pair[0])[1]


def trigger_at(on: float, model: ModelSpec, *, mean_samples: int) -> TriggerSpec:
    """Return the trigger values that go with a threshold."""
    return TriggerSpec(
        on=on,
        off=round(on * HYSTERESIS, 3),
        mean_samples=mean_samples,
        consecutive=1 + (CONSECUTIVE - 1) * _rows_to_a_row(model),
        refractory_samples=int(REFRACTORY_SECONDS * model.features.sample_rate),
    )


@dataclass(frozen=True, slots=True)
class _Search:
    """The search with one length of the smoothing."""

    recordings: Sequence[Heard]
    model: ModelSpec
    mean_rows: int
    kept: Triggers

    def lowest(self, budget_per_hour: float) -> Triggers:
        """Return the lowest thresholds that keep the budget, lowered together from the highest.

        Every set of thresholds that is taken was tried as a whole: where two labels rise together
        only one is detected, so that one label's threshold bears on the other's false accepts. A
        label that is over its share even at the highest threshold stays there.
        """
        allowed = budget_per_hour * hours_of(self.recordings) / len(self.model.commands)
        chosen = {label: self._at(THRESHOLDS[-1]) for label in self.model.commands} | self.kept
        lost = self._over(chosen, allowed)
        open_labels = set(self.model.commands) - lost - self.kept.keys()
        for on in reversed(THRESHOLDS[:-1]):
            while open_labels:
                trial = chosen | dict.fromkeys(open_labels, self._at(on))
                over = self._over(trial, allowed) - lost
                if not over:
                    chosen = trial
                    break
                open_labels -= (over & open_labels) or open_labels
        return chosen

    def raised(self, lowest: Triggers) -> Triggers:
        """Return thresholds half of the way up to the highest that cost no label a command."""
        before = miss_rates(all_matches(self.recordings, lowest))
        highest = {label: spec.on for label, spec in lowest.items()}
        rising = set(before) - self.kept.keys()
        for on in THRESHOLDS:
            higher = {label for label in rising if highest[label] < on}
            trial = lowest | {
                label: self._at(on if label in higher else highest[label])
                for label in lowest.keys() - self.kept.keys()
            }
            after = miss_rates(all_matches(self.recordings, trial))
            rising -= {label for label in higher if after[label] > before[label]}
            highest.update(dict.fromkeys(higher & rising, on))
        return {
            label: spec
            if label in self.kept
            else self._at(round((spec.on + highest[label]) / 2, 3))
            for label, spec in lowest.items()
        }

    def _over(self, trial: Triggers, allowed: float) -> set[str]:
        """Return the labels with more false accepts than are allowed to each."""
        wrong = [found.label for found in all_matches(self.recordings, trial).false_accepts]
        return {label for label in self.model.commands if wrong.count(label) > allowed}

    def _at(self, on: float) -> TriggerSpec:
        rows = self.mean_rows * _rows_to_a_row(self.model)
        mean_samples = rows * self.model.samples_per_score
        return trigger_at(on, self.model, mean_samples=mean_samples)


def _rows_to_a_row(model: ModelSpec) -> int:
    """Return how many rows of scores come in the time of a usual one."""
    return max(1, round(ROW_SECONDS * model.features.sample_rate / model.samples_per_score))
