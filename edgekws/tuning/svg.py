"""A chart as SVG text: two axes, and what is drawn between them; colours come from the page."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import NormalDist
from typing import Final, Literal

WIDTH: Final = 360  # of every chart, in its own units: those of a phone's screen
HEIGHT: Final = 240
LEFT, RIGHT, TOP, BOTTOM = 56, 18, 10, 40  # margins
NORMAL: Final = NormalDist()

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """What runs along one side: from `low` to `high`, with named ticks, on a scale.

    "normal" is the scale of DET curves: equal steps are equal deviations of a normal distribution.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    scale: Literal["linear", "log", "normal"] = "linear"

    def at(self, value: float) -> float:
        """Return where a value lies between the ends, 0 to 1; beyond them, at the end."""
        held = min(max(value, self.low), self.high)
        low, high, place = (self._scaled(each) for each in (self.low, self.high, held))
        return (place - low) / (high - low)

    def _scaled(self, value: float) -> float:
        if self.scale == "log":
            return math.log(value)
        return NORMAL.inv_cdf(value) if self.scale == "normal" else value


@dataclass(frozen=True, slots=True)
class Chart:
    """The area between two axes; each verb returns SVG, in the units of the axes."""

    x: Axis
    y: Axis

    def whole(self, title: str, parts: Iterable[str]) -> str:
        """Return the finished picture; `title` is what a screen reader says."""
        inside = "".join((*self._grid(), *parts))
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
            f"{inside}</svg>"
        )

    def line(self, points: Sequence[Point], css: str, *, style: str = "") -> str:
        """Return a line through points."""
        places = " ".join(f"{self._left(x):.1f},{self._top(y):.1f}" for x, y in points)
        return f'<polyline class="{css}"{_style(style)} points="{places}"/>'

    def dot(self, x: float, y: float, css: str, *, says: str, style: str = "") -> str:
        """Return a dot that says something where a pointer rests on it."""
        return (
            f'<circle class="{css}"{_style(style)} cx="{self._left(x):.1f}" '
            f'cy="{self._top(y):.1f}" r="3.5"><title>{escape(says)}</title></circle>'
        )

    def bar(self, x: tuple[float, float], y: tuple[float, float], css: str, *, says: str) -> str:
        """Return a box over a span of each axis."""
        left, right = (self._left(value) for value in x)
        top, bottom = sorted(self._top(value) for value in y)
        return (
            f'<rect class="{css}" x="{left + 0.5:.1f}" y="{top:.1f}" width="{right - left - 1:.1f}"'
            f' height="{bottom - top:.1f}"><title>{escape(says)}</title></rect>'
        )

    def _grid(self) -> Iterable[str]:
        base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value, name in self.x.ticks:
            at = f"{self._left(value):.1f}"
            yield f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{base}"/>'
            yield f'<text x="{at}" y="{base + 14}" text-anchor="middle">{escape(name)}</text>'
        for value, name in self.y.ticks:
            at = f"{self._top(value):.1f}"
            yield f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{at}" y2="{at}"/>'
            yield f'<text x="{LEFT - 5}" y="{at}" dy="4" text-anchor="end">{escape(name)}</text>'
        middle = (LEFT + end) / 2
        yield f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{self.x.title}</text>'
        across = (TOP + base) / 2
        yield (
            f'<text transform="translate(11 {across}) rotate(-90)" text-anchor="middle">'
            f"{self.y.title}</text>"
        )

    def _left(self, value: float) -> float:
        return LEFT + self.x.at(value) * (WIDTH - LEFT - RIGHT)

    def _top(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.at(value) * (HEIGHT - TOP - BOTTOM)


def _style(style: str) -> str:
    return f' style="{style}"' if style else ""
