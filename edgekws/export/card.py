"""The model card of a bundle: what it hears, how well, from what data, under which licences."""

from collections.abc import Iterator, Sequence

from edgekws.export.parity import Figures
from edgekws.specs import ModelSpec, TriggerSpec
from edgekws.train.run import Run, RunSource, StreamMetrics


def write_card(
    run: Run,
    model: ModelSpec,
    *,
    figures: Sequence[Figures],
    triggers: dict[str, TriggerSpec],
    streams: Sequence[StreamMetrics],
) -> str:
    """Return the card as Markdown; equal input gives equal text."""
    sections = (
        _about(run, model),
        _clips(run, figures),
        _labels(run),
        _stream(model, triggers, streams),
        _origin(run),
    )
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _about(run: Run, model: ModelSpec) -> Iterator[str]:
    yield f"# {run.name} {run.version}"
    yield ""
    yield f"Hears: {', '.join(model.commands)}."
    yield f"{model.parameters:,} parameters, {model.macs_per_second / 1e6:.1f} million"
    yield "multiply-accumulates per second of audio."
    yield ""
    yield "Listen with it: `edgekws listen --bundle` and this folder."
    yield "`golden.npz` holds test audio made of noise in the rhythm of speech; no recording."


def _clips(run: Run, figures: Sequence[Figures]) -> Iterator[str]:
    yield "## Held-out clips, through the device's own engine"
    yield ""
    yield f"{figures[0].clips} clips, {run.split}."
    yield ""
    yield "| model | bytes | accuracy | macro F1 | same label as the trained net |"
    yield "|---|---|---|---|---|"
    for row in figures:
        yield (
            f"| {row.key} | {row.size} | {row.accuracy:.2%} | {row.macro_f1:.2%} "
            f"| {row.agreement:.2%} |"
        )


def _labels(run: Run) -> Iterator[str]:
    yield "## Validation of the trained net, by label"
    yield ""
    yield "| label | precision | recall | F1 | clips |"
    yield "|---|---|---|---|---|"
    for label in run.report.labels:
        row = run.report.per_label[label]
        yield f"| {label} | {row.precision:.1%} | {row.recall:.1%} | {row.f1:.1%} | {row.clips} |"


def _stream(
    model: ModelSpec, triggers: dict[str, TriggerSpec], streams: Sequence[StreamMetrics]
) -> Iterator[str]:
    yield "## Thresholds, and what they do on a long stream they were not chosen on"
    yield ""
    for stream in streams:
        yield (
            f"{stream.data}: {stream.false_accepts_per_hour:.2f} false accepts per hour in "
            f"{stream.hours:.2f} hours (budget {stream.false_accepts_per_hour_budget:g} per hour)."
        )
        yield ""
    yield "| command | on | off | missed |"
    yield "|---|---|---|---|"
    for label in model.commands:
        missed = [f"{s.miss_rate[label]:.1%}" for s in streams if label in s.miss_rate]
        trigger = triggers[label]
        yield f"| {label} | {trigger.on:g} | {trigger.off:g} | {', '.join(missed) or '-'} |"


def _origin(run: Run) -> Iterator[str]:
    yield "## Data and licences"
    yield ""
    yield f"Base: {_source(run.base)}."
    yield ""
    for source in run.data:
        yield f"- {_source(source)}"
    yield ""
    yield f"Recipe: sha256 {run.recipe_sha256}."


def _source(source: RunSource) -> str:
    return f"{source.name}, {source.licence}" + (f", <{source.url}>" if source.url else "")
