"""The story of a tuning: recordings apart in two, thresholds from one, figures from the other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgekws.bundle import StreamMetrics
from edgekws.errors import DataError
from edgekws.specs import TriggerSpec
from edgekws.tuning.choose import choose_triggers
from edgekws.tuning.heard import Heard, hours_of
from edgekws.tuning.report import Judged, judge

FEWEST: Final = 5  # commands of each label in each half; of fewer a half says too little


@dataclass(frozen=True, slots=True)
class Tuned:
    """Chosen trigger values, and what they do on the recordings `measured`.

    `old` are the values until now and `before` is what they do on the same recordings. `apart` is
    whether the new ones were chosen on other audio; `kept` are the labels that nobody said, which
    keep their old values.
    """

    triggers: dict[str, TriggerSpec]
    old: dict[str, TriggerSpec]
    budget_per_hour: float
    judged: Judged
    before: Judged
    measured: tuple[Heard, ...]
    apart: bool
    chosen_hours: float
    kept: tuple[str, ...]

    def metrics(self) -> StreamMetrics:
        """Return the figures as a manifest holds them."""
        data = f"own recordings, {len(self.measured)} in number; thresholds {self.how()}"
        return stream_metrics(self.judged, budget_per_hour=self.budget_per_hour, data=data)

    def how(self) -> str:
        """Say on what the values were chosen and on what the figures were measured."""
        if self.apart:
            return (
                f"chosen on the first half of each recording, {self.chosen_hours:.2f} hours; "
                f"measured on the second, {self.judged.hours:.2f} hours"
            )
        return (
            f"chosen and measured on the same {self.judged.hours:.2f} hours, so that other audio "
            f"will give worse figures: {FEWEST} commands of each label in each half of the audio "
            "would keep them apart"
        )


def tune(
    recordings: Sequence[Heard], old: Mapping[str, TriggerSpec], *, budget_per_hour: float
) -> Tuned:
    """Choose trigger values for a budget of false accepts per hour, and measure them.

    Raises DataError where no recording holds a command.
    """
    said = _counts(recordings)
    if not said:
        raise DataError(
            "no table in --truth names a command, so that none could be missed: add some rows"
        )
    kept = tuple(label for label in recordings[0].model.commands if label not in said)
    parts = _halves(recordings)
    choosing, measured = parts or (recordings, recordings)
    triggers = choose_triggers(
        choosing, budget_per_hour=budget_per_hour, kept={label: old[label] for label in kept}
    )
    return Tuned(
        triggers=triggers,
        old=dict(old),
        budget_per_hour=budget_per_hour,
        judged=judge(measured, triggers),
        before=judge(measured, old),
        measured=tuple(measured),
        apart=parts is not None,
        chosen_hours=hours_of(choosing),
        kept=kept,
    )


def stream_metrics(judged: Judged, *, budget_per_hour: float, data: str) -> StreamMetrics:
    """Return figures as a manifest holds them."""
    return StreamMetrics(
        data=data,
        hours=judged.hours,
        false_accepts_per_hour_budget=budget_per_hour,
        false_accepts_per_hour=judged.together.false_accepts_per_hour.value,
        miss_rate={
            label: figures.miss_rate.value
            for label, figures in judged.by_label.items()
            if figures.miss_rate is not None
        },
    )


def _halves(recordings: Sequence[Heard]) -> tuple[list[Heard], list[Heard]] | None:
    """Return the first and the second half of all recordings; None where that leaves too little."""
    first, second = [], []
    for heard in recordings:
        middle = heard.middle()
        if middle is None:
            return None
        one, other = heard.cut(middle)
        first.append(one)
        second.append(other)
    enough = all(
        min(_counts(first)[label], _counts(second)[label]) >= FEWEST
        for label in _counts(recordings)
    )
    return (first, second) if enough else None


def _counts(recordings: Sequence[Heard]) -> Counter[str]:
    """Return how often each label was said."""
    return Counter(truth.label for heard in recordings for truth in heard.truths)
