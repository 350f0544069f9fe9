"""Thresholds and their figures as text: for a terminal, for listen.toml, for a bundle's card."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from edgekws.bundle import StreamMetrics
from edgekws.specs import TriggerSpec
from edgekws.tuning.report import Figures, Judged, promise

SECTION: Final = "## Thresholds"
_OLD_SECTION: Final = re.compile(rf"^{SECTION}.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def figure_lines(judged: Judged, triggers: Mapping[str, TriggerSpec]) -> Iterator[str]:
    """Give the lines of a table for a terminal."""
    yield f"{'command':<16} {'on':>6} {'said':>5} {'missed':>27} {'false accepts per hour':>25}"
    for label, figures in judged.by_label.items():
        yield _figure_line(label, f"{triggers[label].on:.3f}", figures)
    yield _figure_line("all", "", judged.together)


def trigger_tables(new: Mapping[str, TriggerSpec], old: Mapping[str, TriggerSpec]) -> str:
    """Return the [triggers] tables of a listen.toml, of the labels whose values are not the old."""
    tables = []
    for label, spec in new.items():
        if spec != old[label]:
            name = json.dumps(label, ensure_ascii=False)  # JSON's escapes are TOML's
            values = msgspec.structs.asdict(spec).items()
            lines = [f"[triggers.{name}]", *(f"{key} = {value}" for key, value in values)]
            tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def card_section(
    triggers: Mapping[str, TriggerSpec],
    streams: Sequence[StreamMetrics],
    judged: Judged | None = None,
) -> str:
    """Return the card's section on thresholds; `judged`, of the one stream, brings intervals."""
    lines = [f"{SECTION}, and what they do on a long stream", ""]
    for stream in streams:
        lines += [
            f"{stream.data}: {stream.false_accepts_per_hour:.2f} false accepts per hour in "
            f"{stream.hours:.2f} hours (budget {stream.false_accepts_per_hour_budget:g} per hour).",
            "",
        ]
    if judged is None:
        return "\n".join([*lines, *_plain_rows(triggers, streams)])
    budget = streams[0].false_accepts_per_hour_budget
    lines += [f"95 % intervals stand in brackets. {promise(judged, budget)}.", ""]
    return "\n".join([*lines, *_rows(triggers, judged)])


def replace_section(card: str, section: str) -> str:
    """Return a card with another section on thresholds, in the old one's place or at the end."""
    if _OLD_SECTION.search(card):
        return _OLD_SECTION.sub(lambda _: f"{section}\n\n", card, count=1).rstrip("\n") + "\n"
    return f"{card.rstrip()}\n\n{section}\n"


def _plain_rows(
    triggers: Mapping[str, TriggerSpec], streams: Sequence[StreamMetrics]
) -> Iterator[str]:
    yield "| command | on | off | missed |"
    yield "|---|---|---|---|"
    for label, spec in triggers.items():
        missed = [f"{s.miss_rate[label]:.1%}" for s in streams if label in s.miss_rate]
        yield f"| {label} | {spec.on:g} | {spec.off:g} | {', '.join(missed) or '-'} |"


def _rows(triggers: Mapping[str, TriggerSpec], judged: Judged) -> Iterator[str]:
    yield "| command | on | off | said | missed | false accepts per hour |"
    yield "|---|---|---|---|---|---|"
    for label, figures in judged.by_label.items():
        spec = triggers[label]
        yield (
            f"| {label} | {spec.on:g} | {spec.off:g} | {figures.commands} | {_missed(figures)} "
            f"| {figures.false_accepts_per_hour.text('.2f')} |"
        )


def _figure_line(name: str, on: str, figures: Figures) -> str:
    wrong = figures.false_accepts_per_hour.text(".2f")
    return f"{name:<16} {on:>6} {figures.commands:>5} {_missed(figures):>27} {wrong:>25}"


def _missed(figures: Figures) -> str:
    return figures.miss_rate.text(".1%") if figures.miss_rate else "-"
