"""Thresholds of a run, chosen in the exported model's scores, and the page that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekws.bundle import StreamMetrics
from edgekws.engines.engine import Engine
from edgekws.errors import RunError
from edgekws.export.parity import Figures
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import Truth
from edgekws.runtime.steps import steps_for
from edgekws.specs import GraphSpec, ModelSpec, TriggerSpec
from edgekws.train.run import Run
from edgekws.train.stream import STREAM_FILE, Stream, load_stream
from edgekws.tuning.choose import THRESHOLDS, choose_triggers, trigger_at
from edgekws.tuning.heard import Heard, hear
from edgekws.tuning.page import Page, render
from edgekws.tuning.report import Judged, judge, picture
from edgekws.tuning.tune import stream_metrics

STREAM_DATA: Final = (
    "held-out commands laid into noise and other speech, the half that no threshold was chosen on"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The trigger values of every command, and what they did on long streams.

    `measured` is what the one stream's figures, `judged`, come from; both are None where the run
    brought its thresholds along.
    """

    triggers: dict[str, TriggerSpec]
    streams: tuple[StreamMetrics, ...]
    measured: Heard | None = None
    judged: Judged | None = None


def find_thresholds(
    folder: Path, run: Run, model: ModelSpec, engine: Engine, *, graph: GraphSpec
) -> Thresholds:
    """Choose thresholds on the run's stream; without one, take those that the run holds."""
    if not (folder / STREAM_FILE).exists():
        return _held(folder, run, model)
    choosing, measured = _hear(model, engine, graph, load_stream(folder / STREAM_FILE))
    budget = run.false_accepts_per_hour_budget
    triggers = choose_triggers([choosing], budget_per_hour=budget)
    judged = judge([measured], triggers)
    metrics = stream_metrics(judged, budget_per_hour=budget, data=STREAM_DATA)
    return Thresholds(triggers, (metrics,), measured, judged)


def report_path(bundle: Path) -> Path:
    """Return where the report of a bundle's folder lies: beside it."""
    return bundle.with_name(f"{bundle.name}.html")


def report_page(run: Run, figures: Sequence[Figures], thresholds: Thresholds) -> str | None:
    """Return the report of an export, None where no stream was heard; equal input, equal text."""
    if thresholds.judged is None or thresholds.measured is None:
        return None
    best = figures[0]
    page = Page(
        title=f"{run.name} {run.version}: how well it hears",
        facts=(
            ("model", best.key),
            ("clips", f"{best.report.clips} held-out ones, {run.split}"),
            ("stream", STREAM_DATA),
        ),
        triggers=thresholds.triggers,
        judged=thresholds.judged,
        pictured=picture([thresholds.measured], thresholds.triggers),
        budget_per_hour=run.false_accepts_per_hour_budget,
        clips=best.report,
    )
    return render(page)


def _held(folder: Path, run: Run, model: ModelSpec) -> Thresholds:
    if run.triggers.keys() != set(model.commands):
        raise RunError(
            f"{folder / STREAM_FILE}: missing, and run.json holds no thresholds; export needs "
            "the folder as `edgekws adapt` left it"
        )
    return Thresholds(run.triggers, run.stream_metrics)


def _hear(
    model: ModelSpec, engine: Engine, graph: GraphSpec, stream: Stream
) -> tuple[Heard, Heard]:
    """Return the half that thresholds are chosen on and the half that figures come from."""
    start = trigger_at(THRESHOLDS[0], model, mean_samples=model.samples_per_score)
    triggers, steps = dict.fromkeys(model.commands, start), steps_for(model, graph)
    detector = Detector(model, engine, triggers, steps=steps)
    truths = [Truth(int(a), int(b), model.labels[label]) for a, b, label in stream.truth]
    return hear(detector, stream.pcm, truths).cut(stream.tune_end)
