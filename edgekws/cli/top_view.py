"""One view of `edgekws top` as lines of text: nothing here asks, waits or moves a cursor."""

import unicodedata
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from edgekws.runtime.control import Status
    from edgekws.runtime.sight import Scores

SECONDS: Final = 8.0  # of scores, from the left to the right
BLOCKS: Final = "▁▂▃▄▅▆▇█"
PLAIN: Final = "_.:-=+*#"  # where the terminal has no such letters
QUIETEST_DBFS: Final = -60.0
_BAR: Final = 30
_LABEL: Final = 16
_SMALLEST: Final = (40, 8)


class Screen(msgspec.Struct, frozen=True):
    """How much room there is, in cells, and which letters stand for heights."""

    columns: int = 80
    rows: int = 24
    heights: str = BLOCKS


def view(status: "Status", scores: "Scores", cpu_percent: float, screen: Screen) -> list[str]:
    """Return the lines, none wider and not more than the screen has."""
    columns, rows = max(screen.columns, _SMALLEST[0]), max(screen.rows, _SMALLEST[1])
    top = [*_head(status), _level(status, cpu_percent, screen.heights), *_counts(status), ""]
    heard = ["", *_heard(status, scores)]
    room = rows - len(top) - len(heard)
    labels = _score_lines(scores, columns, screen.heights)
    if len(labels) > room:
        labels = [
            *labels[: max(0, room - 1)],
            f"  and {len(labels) - max(0, room - 1)} more labels",
        ]
    return [fitted(line, columns) for line in (*top, *labels, *heard)][:rows]


def sparkline(values: list[float], heights: str) -> str:
    """Return one letter for each value between 0 and 1."""
    last = len(heights) - 1
    return "".join(heights[min(last, max(0, int(value * len(heights))))] for value in values)


def fitted(text: str, cells: int) -> str:
    """Return a text cut to so many cells, without letters that would move the cursor."""
    out, used = [], 0
    for letter in text:
        letter = letter if letter.isprintable() else "?"
        width = _cells(letter)
        if used + width > cells:
            break
        out.append(letter)
        used += width
    return "".join(out)


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """Return a text of exactly so many cells, at the left or the right of them."""
    short = fitted(text, cells)
    rest = " " * (cells - sum(map(_cells, short)))
    return rest + short if right else short + rest


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _head(status: "Status") -> list[str]:
    health = status.health
    where = f"{health.source} ({health.device})" if health.device else health.source
    reason = f": {health.reason}" if health.reason else ""
    muted = status.muted_seconds
    left = "" if muted is None else f" for {muted:.0f} s more"
    seconds = int(health.uptime_seconds)
    up = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return [f"edgekws is {health.state}{reason}{left}", f"{health.bundle}  from {where}  up {up}"]


def _level(status: "Status", cpu_percent: float, heights: str) -> str:
    level = status.health.level_dbfs
    full = round(_BAR * min(1.0, max(0.0, 1 - level / QUIETEST_DBFS)))
    bar = heights[-1] * full + heights[0] * (_BAR - full)
    return f"level {level:4.0f} dBFS {bar}  cpu {cpu_percent:.1f} %" + (
        f"  memory {status.peak_rss_bytes / 1e6:.0f} MB at most"
    )


def _counts(status: "Status") -> list[str]:
    health = status.health
    counters, ended = health.counters, health.dispatches
    return [
        f"steps {counters.steps}  dropped frames {health.dropped_frames}  gaps {counters.gaps}"
        f"  refused {counters.refused}  reopened {health.reopenings}"
        f"  lost lines {health.unwritten}",
        f"heard {counters.detections}  done {ended.done}  failed {ended.failed}"
        f"  timed out {ended.timeout}  dropped {ended.dropped}",
    ]


def _score_lines(scores: "Scores", columns: int, heights: str) -> list[str]:
    """Return a line for each label, commands first."""
    order = sorted(range(len(scores.labels)), key=lambda c: scores.on[c] is None)
    width = columns - _LABEL - 18
    lines = []
    for column in order:
        on = scores.on[column]
        values = _pooled(scores, column, width)
        now = scores.scores[-1][column] if scores.scores else 0.0
        mark = "" if on is None else f" on {on:.2f}"
        name = padded(scores.labels[column], _LABEL)
        lines.append(f"{name} {now:4.2f} {sparkline(values, heights)}{mark}")
    return lines


def _pooled(scores: "Scores", column: int, width: int) -> list[float]:
    """Return a label's highest score in each part of the last seconds, newest last."""
    peaks = [0.0] * width
    if not scores.ends:
        return peaks
    span = SECONDS * scores.sample_rate
    for end, row in zip(scores.ends, scores.scores, strict=True):
        at = width - 1 - int((scores.ends[-1] - end) / span * width)
        if at >= 0:
            peaks[at] = max(peaks[at], row[column])
    return peaks


def _heard(status: "Status", scores: "Scores") -> list[str]:
    now = scores.ends[-1] if scores.ends else 0
    lines = []
    for each in reversed(status.latest[-3:]):
        ago = max(0.0, (now - each.sample) / scores.sample_rate)
        lines.append(f'{ago:6.1f} s ago  {each.id:4}  "{each.label}"  {each.score:.2f}')
    return lines or ["nothing heard yet"]
