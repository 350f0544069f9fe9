"""The report as one HTML page that needs nothing else: no script, no network, light and dark."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from edgekws.runtime.figures import ClipReport
from edgekws.specs import TriggerSpec
from edgekws.tuning.intervals import Rate
from edgekws.tuning.plots import det_plot, hue, score_plot, trade_off_plot
from edgekws.tuning.report import Figures, Judged, Pictured, promise

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--faint:#667;--rule:#dde1e6;--blue:#2563eb;
--orange:#c2570c}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#14171a;--faint:#98a2ad;
--rule:#333a42;--blue:#7aa7ff;--orange:#f0a35e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1160px;padding:16px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.2;margin:.3em 0}h2{font-size:1.15rem;margin:1.8em 0 .4em}
h3{font-size:1rem;margin:.2em 0}
.promise{border-left:4px solid var(--blue);padding:.2em 0 .2em .8em;margin:1em 0}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:16px}
.card{margin:16px 0;border:1px solid var(--rule);border-radius:8px;padding:12px;min-width:0}
figure{margin:0}figcaption{color:var(--faint);font-size:.85rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25em .6em;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
@media(max-width:480px){table{font-size:.75rem}th,td{padding:.25em .3em}th{white-space:normal}
#figures small{display:block}}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}
th{font-weight:600}small{color:var(--faint)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em;margin:0}
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--faint);font:11px system-ui,sans-serif}
.grid{stroke:var(--rule)}.curve{fill:none;stroke:var(--blue);stroke-width:1.6}
.point{fill:var(--blue);opacity:.35}.chosen{fill:var(--orange);stroke:var(--paper)}
.interval{stroke:var(--orange);stroke-width:2}
.mark{stroke:var(--faint);stroke-dasharray:4 3}.said{fill:var(--blue)}.unsaid{fill:var(--orange)}
.key{display:inline-block;margin-right:1em;white-space:nowrap}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em}
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What a report shows; `clips` are figures over single clips, where there are some."""

    title: str
    facts: tuple[tuple[str, str], ...]
    triggers: Mapping[str, TriggerSpec]
    judged: Judged
    pictured: Pictured
    budget_per_hour: float
    clips: ClipReport | None


def render(page: Page) -> str:
    """Return the page; equal input gives equal text."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{STYLE}</style></head>"
    )
    body = "\n".join((*_top(page), *_together(page), *_commands(page), *_confusions(page)))
    return f"{head}\n<body>\n{body}\n</body></html>\n"


def _top(page: Page) -> Iterator[str]:
    yield f"<h1>{escape(page.title)}</h1>"
    facts = "".join(f"<dt>{escape(n)}</dt><dd>{escape(text)}</dd>" for n, text in page.facts)
    yield f"<dl>{facts}</dl>"
    yield f'<p class="promise">{escape(promise(page.judged, page.budget_per_hour))}.</p>'
    yield "<h2>Figures at the chosen thresholds</h2>"
    yield "<p><small>In brackets: 95 % intervals.</small></p>"
    rows = [
        _row(label, f"{page.triggers[label].on:g}", figures)
        for label, figures in page.judged.by_label.items()
    ]
    names = ("command", "threshold", "said", "missed", "false accepts per hour")
    yield _table("figures", names, [*rows, _row("all", "", page.judged.together)])


def _together(page: Page) -> Iterator[str]:
    hours, budget = page.judged.hours, page.budget_per_hour
    yield '<h2>All commands</h2><div class="grid2">'
    yield _figure(
        "trade-off",
        trade_off_plot(
            page.pictured.together,
            page.judged.together,
            name="all commands",
            hours=hours,
            budget=budget,
        ),
        f"What all thresholds raised or lowered together would do. Orange: the chosen point with "
        f"its 95 % interval; dashed: the budget of {budget:g} per hour.",
    )
    labels = list(page.pictured.trials)
    keys = "".join(
        f'<span class="key"><i style="background:{hue(label, labels)}"></i>{escape(label)}</span>'
        for label in labels
        if len(page.pictured.trials[label].said)
    )
    yield _figure(
        "det",
        det_plot(page.pictured.trials, page.triggers),
        "DET curves: commands whose score stays below a threshold, against seconds without the "
        f"command whose score reaches it. Dots: the chosen thresholds. {keys}",
    )
    yield "</div>"


def _commands(page: Page) -> Iterator[str]:
    yield (
        "<h2>By command</h2><p><small>Left: its misses against its false accepts as its threshold "
        "moves and the others stay; orange is the chosen one with its 95 % interval. Right: how "
        "high the command scores (up) and every second without it (down), counts on a logarithmic "
        "scale; dashed is the threshold.</small></p>"
    )
    for label, figures in page.judged.by_label.items():
        trials, name = page.pictured.trials[label], escape(label)
        curve = trade_off_plot(
            page.pictured.by_label[label],
            figures,
            name=label,
            hours=page.judged.hours,
            budget=None,
        )
        yield f'<section class="card"><h3>{name}</h3><div class="grid2">'
        yield _figure(f"trade-off {label}", curve, "")
        scores = score_plot(trials, page.triggers[label].on, name=label)
        yield _figure(f"scores {label}", scores, "")
        yield "</div></section>"


def _confusions(page: Page) -> Iterator[str]:
    yield "<h2>What was taken for what, in the stream</h2>"
    yield _confusion("stream-confusion", page.judged.confusion)
    if page.clips is not None:
        yield f"<h2>Single clips: {page.clips.accuracy:.2%} of {page.clips.clips} right</h2>"
        yield _confusion("clip-confusion", page.clips.confusion)


def _confusion(name: str, table: Mapping[str, Mapping[str, int]]) -> str:
    """Return a table of counts, each cell as dark as its share of the row."""
    columns = list(next(iter(table.values())))
    rows = [
        [escape(said), *(_cell(counts[heard], sum(counts.values())) for heard in columns)]
        for said, counts in table.items()
    ]
    return _table(name, ("said", *columns), rows)


def _cell(count: int, of: int) -> str:
    if not count:
        return "·"
    shade = f"background:rgb(37 99 235/{0.1 + 0.6 * count / of:.2f})"
    return (
        f'<span style="display:block;margin:-.25em -.6em;padding:.25em .6em;{shade}">{count}</span>'
    )


def _row(name: str, on: str, figures: Figures) -> list[str]:
    missed = _interval(figures.miss_rate, ".1%") if figures.miss_rate else "–"
    wrong = _interval(figures.false_accepts_per_hour, ".2f")
    return [escape(name), on, str(figures.commands), missed, wrong]


def _interval(rate: Rate, form: str) -> str:
    return f"{rate.value:{form}} <small>({rate.low:{form}} to {rate.high:{form}})</small>"


def _table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table id="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _figure(name: str, picture: str, caption: str) -> str:
    return f'<figure id="{escape(name)}">{picture}<figcaption>{caption}</figcaption></figure>'
