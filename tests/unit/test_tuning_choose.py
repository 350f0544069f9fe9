"""Thresholds on hand-made score rows: the budget is kept, and figures come from the other part."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pytest

from edgekws.bundle.manifest import StreamMetrics
from edgekws.events import Floats
from edgekws.runtime.evaluate import Truth, match_detections, miss_rates
from edgekws.runtime.trigger import Trigger
from edgekws.specs import ModelSpec, TriggerSpec
from edgekws.tuning.choose import THRESHOLDS, choose_triggers
from edgekws.tuning.heard import Heard
from edgekws.tuning.report import judge
from edgekws.tuning.tune import stream_metrics
from tests.fakes import RATE, small_model, trigger_spec

MODEL: Final[ModelSpec] = small_model()  # rows every 40 ms; commands "loud" (2) and "dull" (3)
ROW: Final = MODEL.samples_per_score
HALF_SECONDS: Final = 90
HOURS: Final = HALF_SECONDS / 3600
ONE: Final = 2 / HOURS * 1.01  # the budget per hour that allows each of the two labels one
LENGTH: Final = 2 * HALF_SECONDS * RATE
BUMP_ROWS: Final = 40  # 1.6 s: longer than any smoothing, so that its mean reaches its height

Event = tuple[float, int, float]  # seconds, label, height of the posterior


def rows_with(events: Iterable[Event]) -> Floats:
    """Return (rows, labels) posteriors of a quiet stream with bumps."""
    scores = np.zeros((LENGTH // ROW, len(MODEL.labels)), np.float32)
    for seconds, label, height in events:
        start = int(seconds * RATE) // ROW
        scores[start : start + BUMP_ROWS, label] = height
    scores[:, 0] = 1 - scores[:, 2:].max(axis=1)
    return scores


def halves(scores: Floats, commands: Iterable[tuple[float, int]]) -> tuple[Heard, Heard]:
    """Return what was heard, as the half to choose on and the half to measure on."""
    truths = tuple(
        Truth(int(s * RATE), int((s + 1) * RATE), MODEL.labels[label]) for s, label in commands
    )
    return Heard(MODEL, scores, samples(), truths, 0, LENGTH).cut(LENGTH // 2)


def samples() -> np.ndarray:
    return (np.arange(LENGTH // ROW, dtype=np.int64) + 1) * ROW


def choose(
    events: Sequence[Event],
    commands: Sequence[tuple[float, int]],
    *,
    budget: float,
    kept: Mapping[str, TriggerSpec] | None = None,
) -> tuple[dict[str, TriggerSpec], StreamMetrics]:
    first, second = halves(rows_with(events), commands)
    triggers = choose_triggers([first], budget_per_hour=budget, kept=kept)
    judged = judge([second], triggers)
    return triggers, stream_metrics(judged, budget_per_hour=budget, data="hand-made")


def false_accepts(
    events: Sequence[Event],
    commands: Sequence[tuple[float, int]],
    triggers: dict[str, TriggerSpec],
    *,
    until_seconds: float,
) -> dict[str, int]:
    """Return what a device would detect wrongly in the first part, by label."""
    kept = samples() <= until_seconds * RATE
    found = Trigger(MODEL, triggers).push(rows_with(events)[kept], samples()[kept].tolist())
    truths = [
        Truth(int(s * RATE), int((s + 1) * RATE), MODEL.labels[label])
        for s, label in commands
        if s < until_seconds
    ]
    wrong = match_detections(found, truths, tolerance_samples=RATE).false_accepts
    return {label: [d.label for d in wrong].count(label) for label in MODEL.commands}


def test_without_wrong_rows_thresholds_stand_midway_and_hear_everything() -> None:
    commands = [(5.0 * n - 2.0, 2 + n % 2) for n in range(1, 35)]
    triggers, metrics = choose([(s, label, 0.9) for s, label in commands], commands, budget=1.0)
    highest = max(t for t in THRESHOLDS if t < 0.9)
    midway = pytest.approx((THRESHOLDS[0] + highest) / 2, abs=0.001)
    assert [spec.on for spec in triggers.values()] == [midway, midway]
    assert metrics.miss_rate == {"dull": 0.0, "loud": 0.0}
    assert metrics.false_accepts_per_hour == 0.0
    assert metrics.hours == pytest.approx(HOURS)
    assert (metrics.data, metrics.false_accepts_per_hour_budget) == ("hand-made", 1.0)


def test_a_label_stands_above_what_it_is_not_allowed_and_below_its_commands() -> None:
    commands = [(30.0, 2), (60.0, 3)]
    wrong = [(80.0, 2, 0.5)]
    triggers, _ = choose([(30.0, 2, 0.9), (60.0, 3, 0.9), *wrong], commands, budget=1.0)
    assert 0.5 < triggers["loud"].on < 0.9
    assert THRESHOLDS[0] < triggers["dull"].on < triggers["loud"].on


@pytest.mark.parametrize(("budget", "allowed"), [(0, 0), (0.9 * ONE, 0), (ONE, 1), (3 * ONE, 3)])
def test_the_budget_is_shared_equally_and_kept_on_the_tuning_part(
    budget: float, allowed: int
) -> None:
    commands = [(10.0, 2), (20.0, 3)]
    wrong = [(30.0 + 9 * n, 2, 0.35 + 0.08 * n) for n in range(6)]
    events = [(10.0, 2, 0.95), (20.0, 3, 0.95), *wrong]
    triggers, _ = choose(events, commands, budget=budget)
    counts = false_accepts(events, commands, triggers, until_seconds=HALF_SECONDS)
    assert counts["loud"] <= allowed
    assert counts["dull"] == 0


def test_the_budget_is_kept_where_two_labels_rise_together() -> None:
    """Where "loud" hides "dull" in a sweep, raising "loud" alone would let "dull" through."""
    commands = [(10.0, 2), (20.0, 3)]
    together = [(s, label, h) for s in (60.0, 75.0) for label, h in ((2, 0.52), (3, 0.5))]
    events = [(10.0, 2, 0.95), (20.0, 3, 0.95), *together]
    triggers, _ = choose(events, commands, budget=1.0)
    counts = false_accepts(events, commands, triggers, until_seconds=HALF_SECONDS)
    assert counts == {"loud": 0, "dull": 0}


def test_a_hopeless_label_does_not_hold_the_other_up() -> None:
    commands = [(10.0, 2), (20.0, 3)]
    wrong = [(40.0 + 9 * n, 2, 1.0) for n in range(5)]
    triggers, metrics = choose([(10.0, 2, 1.0), (20.0, 3, 0.5), *wrong], commands, budget=1.0)
    assert triggers["loud"].on == THRESHOLDS[-1]
    assert triggers["dull"].on < 0.5
    assert metrics.false_accepts_per_hour == 0.0


def test_figures_come_only_from_the_part_that_was_not_tuned_on() -> None:
    tuned = [(5.0 * n, 2 + n % 2) for n in range(1, 17)]
    rest = [(HALF_SECONDS + 10.0 * n, 2) for n in range(1, 5)]
    heard = [(s, label, 0.9) for s, label in [*tuned, *rest[:3]]]
    wrong = [(HALF_SECONDS + 55.0 + 15 * n, 3, 0.9) for n in range(2)]
    _, metrics = choose([*heard, *wrong], [*tuned, *rest], budget=1.0)
    assert metrics.miss_rate == {"loud": 0.25}
    assert metrics.false_accepts_per_hour == pytest.approx(2 / HOURS)


def test_the_smoothing_that_misses_least_is_taken() -> None:
    """Short bumps: a long mean of them stays below every threshold."""
    commands = [(9.0 * n, 2) for n in range(1, 9)]
    scores = rows_with([])
    for seconds, label in commands:
        start = int(seconds * RATE) // ROW
        scores[start : start + 4, label] = 0.7
    triggers = choose_triggers(halves(scores, commands)[:1], budget_per_hour=0.0)
    assert triggers["loud"].mean_samples == 3 * ROW
    assert triggers["loud"].off < triggers["loud"].on


def test_a_stream_without_commands_gives_thresholds_and_no_miss_rates() -> None:
    triggers, metrics = choose([(30.0, 2, 0.6)], [], budget=1.0)
    assert triggers["loud"].on > 0.6
    assert metrics.miss_rate == {}


def test_a_label_that_is_kept_stays_where_it_was() -> None:
    commands = [(10.0, 2), (20.0, 2)]
    kept = {"dull": trigger_spec(on=0.83)}
    triggers, _ = choose([(s, 2, 0.95) for s, _ in commands], commands, budget=1.0, kept=kept)
    assert triggers["dull"] == kept["dull"]
    assert triggers["loud"] != kept["dull"]
    assert list(triggers) == list(MODEL.commands)


def test_budgets_are_shared_over_all_recordings() -> None:
    """Either recording alone would allow one false accept; each label has one in each."""
    commands, wrong = [(10.0, 2), (20.0, 3)], [(60.0, 2, 0.5)]
    events = [(10.0, 2, 0.95), (20.0, 3, 0.95), *wrong]
    first, _ = halves(rows_with(events), commands)
    one = choose_triggers([first], budget_per_hour=ONE)
    two = choose_triggers([first, first], budget_per_hour=0.9 * ONE / 2)
    assert one["loud"].on < two["loud"].on


def test_miss_rates_are_shares_of_what_was_said() -> None:
    truths = [Truth(RATE * n, RATE * n + 100, "loud" if n % 2 else "dull") for n in range(6)]
    matches = match_detections([], truths[:4], tolerance_samples=0)
    assert miss_rates(matches) == {"dull": 1.0, "loud": 1.0}
