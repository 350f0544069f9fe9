"""The pictures of a report: misses against false accepts, DET curves, scores."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from edgekws.events import Floats
from edgekws.specs import TriggerSpec
from edgekws.tuning.curves import CurvePoint, Trials
from edgekws.tuning.report import Figures
from edgekws.tuning.svg import Axis, Chart, Point

BINS: Final = 20  # of a histogram of scores
SHARES: Final = tuple((i / 4, f"{25 * i} %") for i in range(5))
DEVIATES: Final = (0.001, 0.01, 0.05, 0.2, 0.4)  # ticks of a DET curve
DET_ENDS: Final = (0.0004, 0.6)


def trade_off_plot(
    points: Sequence[CurvePoint], chosen: Figures, *, name: str, hours: float, budget: float | None
) -> str:
    """Return misses against false accepts per hour, with the chosen point and its interval."""
    rate, missed = chosen.false_accepts_per_hour, chosen.miss_rate
    highest = max([rate.high, budget or 0, *(point.false_accepts_per_hour for point in points)])
    chart = Chart(_per_hour_axis(hours, highest), Axis("missed", 0, 1, SHARES))
    parts = []
    if budget is not None:
        parts.append(chart.line([(budget, 0), (budget, 1)], "mark"))
    if missed is not None:
        curve = [(point.false_accepts_per_hour, point.miss_rate) for point in points]
        parts += [chart.line(curve, "curve"), *(_point_dot(chart, point) for point in points)]
    height = missed.value if missed else 0.0
    parts.append(chart.line([(rate.low, height), (rate.high, height)], "interval"))
    says = f"chosen: {rate.text('.2f')} false accepts per hour"
    if missed is not None:
        parts.append(chart.line([(rate.value, missed.low), (rate.value, missed.high)], "interval"))
        says += f", {missed.text('.1%')} missed"
    parts.append(chart.dot(rate.value, height, "chosen", says=says))
    return chart.whole(f"{name}: misses against false accepts per hour", parts)


def det_plot(trials: Mapping[str, Trials], triggers: Mapping[str, TriggerSpec]) -> str:
    """Return the DET curve of each label that was said, with its chosen point."""
    ticks = [(value, f"{100 * value:g} %") for value in DEVIATES]
    chart = Chart(
        Axis("seconds without the command that pass", *DET_ENDS, ticks, "normal"),
        Axis("commands missed", *DET_ENDS, ticks, "normal"),
    )
    parts = []
    for label, each in trials.items():
        if len(each.said):
            colour, on = hue(label, list(trials)), triggers[label].on
            at = float(np.mean(each.unsaid >= on)), float(np.mean(each.said < on))
            says = f"{label} at {on:g}: {at[1]:.1%} missed, {at[0]:.2%} of seconds pass"
            parts.append(chart.line(_stairs(each.trade_off()), "curve", style=f"stroke:{colour}"))
            parts.append(chart.dot(*at, "chosen", says=says, style=f"fill:{colour}"))
    return chart.whole("DET curves by command", parts)


def score_plot(trials: Trials, on: float, *, name: str) -> str:
    """Return how high commands score (upwards) and how high all else does (downwards)."""
    said, unsaid = _histogram(trials.said), _histogram(trials.unsaid)
    top, bottom = (max(1.0, math.log10(1 + max(counts))) for counts in (said, unsaid))
    ticks = [*_counts(top, 1), (0.0, "0"), *_counts(bottom, -1)]
    chart = Chart(
        Axis("score", 0, 1, [(i / 5, f"{i / 5:g}") for i in range(6)]),
        Axis("other seconds | commands", -bottom, top, ticks),
    )
    bars = [*_bars(chart, said, "said", 1), *_bars(chart, unsaid, "unsaid", -1)]
    return chart.whole(f"{name}: scores", [*bars, chart.line([(on, -bottom), (on, top)], "mark")])


def hue(label: str, labels: Sequence[str]) -> str:
    """Return a label's colour: far from its neighbours', readable on white and on black."""
    return f"hsl({137.5 * labels.index(label) % 360:.0f} 65% 50%)"


def _per_hour_axis(hours: float, highest: float) -> Axis:
    """Return a logarithmic axis whose left end stands for none at all."""
    low = 1 / hours / 4  # one in so many hours is the least that can be counted
    powers = range(math.ceil(math.log10(1.5 * low)), math.ceil(math.log10(highest)) + 1)
    ticks = [(low, "0"), *((10.0**power, f"{10.0**power:g}") for power in powers)]
    high = max(1.3 * highest, 10.0 ** powers[-1] if powers else 0)
    return Axis("false accepts per hour", low, high, ticks, "log")


def _stairs(points: Sequence[Point]) -> list[Point]:
    """Return the points with a corner between each two: nothing changes but at a score."""
    corners = [(after[0], before[1]) for before, after in itertools.pairwise(points)]
    return [point for pair in zip(points, [*corners, points[-1]], strict=True) for point in pair]


def _point_dot(chart: Chart, point: CurvePoint) -> str:
    at = f"at {point.on:g}: " if point.on is not None else ""
    says = f"{at}{point.miss_rate:.1%} missed, {point.false_accepts_per_hour:.2f} per hour"
    return chart.dot(point.false_accepts_per_hour, point.miss_rate, "point", says=says)


def _histogram(scores: Floats) -> list[int]:
    return [int(count) for count in np.histogram(scores, BINS, (0, 1))[0]]


def _counts(reach: float, sign: int) -> Iterator[tuple[float, str]]:
    """Give the ticks of a logarithmic count on one side of zero."""
    for power in range(1, int(reach) + 1):
        yield sign * math.log10(1 + 10**power), f"{10**power:,}"


def _bars(chart: Chart, counts: Sequence[int], css: str, sign: int) -> Iterator[str]:
    for bin_, count in enumerate(counts):
        if count:
            span = (bin_ / BINS, (bin_ + 1) / BINS)
            says = f"{count} of a score from {span[0]:g} to {span[1]:g}"
            yield chart.bar(span, (0, sign * math.log10(1 + count)), css, says=says)
