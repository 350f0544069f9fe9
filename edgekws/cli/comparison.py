"""What `edgekws bench --compare` says to a person: a table by engine, precision and step."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekws.runtime.bench import BenchReport

HEADER = (
    f"{'model':<22} {'step ms':>7} {'delay ms':>8} {'% core':>7} {'ratio':>6} {'features':>8}"
    f" {'engine':>7} {'trigger':>7} {'load s':>6} {'RSS MB':>6} {'bytes':>9}"
)


def table(reports: "Sequence[BenchReport]") -> Iterator[str]:
    """Give the header and a line for each model; stages are microseconds per step."""
    yield HEADER
    for row in reports:
        yield (
            f"{row.model:<22} {row.step_milliseconds:7.0f} {row.delay_milliseconds:8.0f}"
            f" {100 * row.cpu_seconds_per_second:7.3f} {row.ratio:6.2f} {row.features_us.p50:8.0f}"
            f" {row.engine_us.p50:7.0f} {row.trigger_us.p50:7.0f} {row.load_seconds:6.2f}"
            f" {row.peak_rss_mb:6.1f} {row.model_bytes:9d}"
        )


def upshot(reports: "Sequence[BenchReport]") -> Iterator[str]:
    """Give what to take: the model of least CPU, and those of shorter steps with their price."""
    best = _cheapest(reports)
    yield f"least CPU here: {_name(best)}"
    for step in sorted({row.step_milliseconds for row in reports}, reverse=True):
        if step < best.step_milliseconds:
            row = _cheapest([row for row in reports if row.step_milliseconds == step])
            sooner = best.delay_milliseconds - row.delay_milliseconds
            price = row.ratio / best.ratio
            yield f"{sooner:.0f} ms sooner for {price:.1f} times that: {_name(row)}"


def _cheapest(reports: "Sequence[BenchReport]") -> "BenchReport":
    return min(reports, key=lambda row: row.ratio)


def _name(row: "BenchReport") -> str:
    return f"{row.model} of {Path(row.path).name}, a step of {row.step_milliseconds:g} ms"
