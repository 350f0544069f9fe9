"""The model card of a bundle: what it hears, how well, from what data, under which licences."""

from collections.abc import Iterator, Sequence

from edgekws.export.parity import Figures
from edgekws.runtime.figures import by_language
from edgekws.specs import ModelSpec
from edgekws.train.run import Run, RunSource


def write_card(
    run: Run,
    model: ModelSpec,
    *,
    figures: Sequence[Figures],
    thresholds: str,
) -> str:
    """Return the card as Markdown, with the section on thresholds; equal input, equal text."""
    sections = (
        _about(run, model),
        _clips(run, figures),
        _labels(run),
        *([_languages(run, figures)] if run.report.per_language else []),
        (thresholds,),
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


def _languages(run: Run, figures: Sequence[Figures]) -> Iterator[str]:
    """Give the mean recall over the commands of each language, of the net and of its models."""
    spoken = run.report.per_language
    language_of = {label: name for name, row in spoken.items() for label in row.labels}
    models = [by_language(row.report.per_label, language_of.__getitem__) for row in figures]
    yield "## The same clips by language: mean recall over its commands"
    yield ""
    yield f"| language | commands | clips | trained net | {' | '.join(r.key for r in figures)} |"
    yield "|---|---|---|---|" + "---|" * len(figures)
    for name, row in spoken.items():
        recalls = (row.recall, *(model[name].recall for model in models))
        told = " | ".join(f"{recall:.1%}" for recall in recalls)
        yield f"| {name} | {', '.join(row.labels)} | {row.clips} | {told} |"


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
