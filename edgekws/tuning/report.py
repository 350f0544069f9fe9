"""What chosen thresholds do on recordings: figures with their intervals, curves, confusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgekws.runtime.evaluate import Matches
from edgekws.specs import Spec, TriggerSpec
from edgekws.tuning.curves import CurvePoint, Trials, common_curve, label_curve, trials
from edgekws.tuning.heard import Heard, all_matches, hours_of
from edgekws.tuning.intervals import Rate, highest_mean, per_hour, share

MISSED: Final = "(missed)"
UNSAID: Final = "(no command)"


class Figures(Spec, frozen=True):
    """Misses of commands and false accepts, counted and as rates; no command, no miss rate."""

    commands: int
    missed: int
    miss_rate: Rate | None
    false_accepts: int
    false_accepts_per_hour: Rate


class Judged(Spec, frozen=True):
    """What trigger values do over so many hours of audio.

    `confusion` counts, by what was said (or `UNSAID`), what it was taken for (or `MISSED`).
    """

    hours: float
    together: Figures
    by_label: dict[str, Figures]
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Pictured:
    """The curves and trials behind the figures; a label that nobody said has no curve."""

    together: tuple[CurvePoint, ...]
    by_label: dict[str, tuple[CurvePoint, ...]]
    trials: dict[str, Trials]


def judge(recordings: Sequence[Heard], triggers: Mapping[str, TriggerSpec]) -> Judged:
    """Return the figures of the device's detector over recordings under these values."""
    hours, labels = hours_of(recordings), recordings[0].model.commands
    matches = all_matches(recordings, triggers)
    return Judged(
        hours=hours,
        together=_figures(matches, labels, hours),
        by_label={label: _figures(matches, (label,), hours) for label in labels},
        confusion=_confusion(recordings, triggers, labels),
    )


def picture(recordings: Sequence[Heard], triggers: Mapping[str, TriggerSpec]) -> Pictured:
    """Return how misses and false accepts move with the thresholds."""
    labels = recordings[0].model.commands
    said = {truth.label for heard in recordings for truth in heard.truths}
    return Pictured(
        together=common_curve(recordings, triggers),
        by_label={
            label: label_curve(recordings, triggers, label) if label in said else ()
            for label in labels
        },
        trials={label: trials(recordings, label, triggers[label]) for label in labels},
    )


def promise(judged: Judged, budget_per_hour: float) -> str:
    """Say in one sentence whether the audio was long enough to promise the budget."""
    count, rate = judged.together.false_accepts, judged.together.false_accepts_per_hour
    found = f"{count} false accepts in {judged.hours:.2f} hours: at most {rate.high:.1f} per hour"
    if rate.high <= budget_per_hour:
        return f"{found} by the 95 % interval, within the budget of {budget_per_hour:g}"
    if rate.low > budget_per_hour:
        return f"{found} and at least {rate.low:.1f}: over the budget of {budget_per_hour:g}"
    needed = highest_mean(count) / budget_per_hour
    return (
        f"{found} by the 95 % interval; too few hours to promise the budget of "
        f"{budget_per_hour:g}, which needs {needed:.1f} hours with no more than {count}"
    )


def _figures(matches: Matches, labels: Sequence[str], hours: float) -> Figures:
    said = matches.commands()
    commands = sum(said.get(label, 0) for label in labels)
    missed = sum(truth.label in labels for truth in matches.missed)
    wrong = sum(found.label in labels for found in matches.false_accepts)
    return Figures(
        commands=commands,
        missed=missed,
        miss_rate=share(missed, commands) if commands else None,
        false_accepts=wrong,
        false_accepts_per_hour=per_hour(wrong, hours),
    )


def _confusion(
    recordings: Sequence[Heard], triggers: Mapping[str, TriggerSpec], labels: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count what each command was taken for; a false accept is used once."""
    table = {said: dict.fromkeys((*labels, MISSED), 0) for said in (*labels, UNSAID)}
    for heard in recordings:
        matches = heard.matches(triggers)
        for found, truth in matches.hits:
            table[truth.label][found.label] += 1
        left = list(matches.false_accepts)
        for truth in matches.missed:
            last = truth.end + heard.tolerance
            instead = next((f for f in left if truth.start <= f.sample <= last), None)
            table[truth.label][instead.label if instead else MISSED] += 1
            if instead:
                left.remove(instead)
        for found in left:
            table[UNSAID][found.label] += 1
    return table
