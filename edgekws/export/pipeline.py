"""From a finished run to a bundle: export, quantize, prove, choose thresholds, pack."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import onnx

from edgekws.engines.registry import open_engine
from edgekws.errors import RunError
from edgekws.events import Floats, Pcm
from edgekws.export.golden_audio import golden_audio
from edgekws.export.pack import BuiltModel, Thresholds, pack
from edgekws.export.parity import Figures, Reference, compare, reference, require_parity
from edgekws.export.quantize import to_int8
from edgekws.export.scores import clip_steps, score_stream
from edgekws.export.targets import Target, find_target
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.specs import ModelSpec, Precision
from edgekws.train.run import Run, load_net, load_run, model_spec
from edgekws.train.run_audio import load_calibration, load_heldout
from edgekws.train.stream import load_stream
from edgekws.train.tune import choose_triggers

STREAM_FILE: Final = "stream.npz"
CALIBRATION_CLIPS: Final = 128  # more move no range on the shipped base, and cost 40 ms each
FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Say = Callable[[str], None]


def export_run(folder: Path, out: Path, target: str, *, say: Say) -> Path:
    """Make the bundle OUT/<name>-<target>/ of a finished run and return its path.

    `say` is told of each stage, and the table at the end. Interrupted at any moment, nothing is
    half-written; equal runs give equal bytes. Raises UsageError for the target, RunError for the
    run, ParityError for a model that is not what was trained, BundleError for the place.
    """
    board, run = find_target(target), load_run(folder)
    place, model, net = _place(out, run, board), model_spec(run), load_net(folder, run)
    heldout = load_heldout(folder, n_labels=len(run.labels))
    say(f"exporting {run.name} {run.version} for {board.name}: {board.board}")
    graphs = _graphs(to_onnx(net, model), model, load_calibration(folder), say)
    say(f"checking {' and '.join(graphs)} against the trained net, {len(heldout.pcm)} clips")
    trained = reference(net, model, heldout.pcm, heldout.labels)
    built = {name: _prove(graph, model, trained, name) for name, graph in graphs.items()}
    say("choosing thresholds with the int8 model")
    thresholds = _thresholds(folder, run, model, built["int8"])
    models = [built[precision] for _, precision in board.models]
    golden_pcm = golden_audio(model, heldout)
    pack(place, run, model, board, models=models, thresholds=thresholds, golden_pcm=golden_pcm)
    for line in table(figures.figures for figures in built.values()):
        say(line)
    return place


def table(figures: Iterable[Figures]) -> Iterator[str]:
    """Give the lines of the table of figures."""
    yield (
        f"{'model':<10} {'bytes':>9} {'accuracy':>9} {'macro F1':>9} {'agreement':>10} "
        f"{'difference':>11} {'us/step':>8}"
    )
    for row in figures:
        yield (
            f"{row.key:<10} {row.size:>9} {row.accuracy:>9.2%} {row.macro_f1:>9.2%} "
            f"{row.agreement:>10.2%} {row.largest_difference:>11.2g} "
            f"{row.microseconds_per_step:>8.0f}"
        )


def _place(out: Path, run: Run, target: Target) -> Path:
    if not FOLDER_NAME.fullmatch(run.name):
        raise RunError(
            f"name {run.name!r} of run.json is no folder name: use letters, digits, '.', '_' and "
            "'-' in the recipe's `name`, and adapt again"
        )
    return out / f"{run.name}-{target.name}"


def _graphs(
    fp32: onnx.ModelProto, model: ModelSpec, calibration: Pcm, say: Say
) -> dict[Precision, onnx.ModelProto]:
    """Return both precisions; int8 is calibrated on clips spread evenly over those given."""
    clips = calibration[:: -(-len(calibration) // CALIBRATION_CLIPS)]
    say(f"quantizing to int8, calibrated on {len(clips)} clips")
    steps: Iterator[list[Floats]] = (clip_steps(model, clip) for clip in clips)
    return {"fp32": fp32, "int8": to_int8(fp32, steps)}


def _prove(
    graph: onnx.ModelProto, model: ModelSpec, trained: Reference, precision: Precision
) -> BuiltModel:
    """Return a model that agrees with the trained net, or raise ParityError."""
    data, spec = graph.SerializeToString(deterministic=True), graph_spec(graph)
    engine = open_engine("onnx", data, spec)
    figures = compare(model, engine, trained, key=f"onnx-{precision}", size=len(data))
    require_parity(figures, precision=precision)
    return BuiltModel("onnx", precision, data, spec, engine, figures)


def _thresholds(folder: Path, run: Run, model: ModelSpec, built: BuiltModel) -> Thresholds:
    """Choose thresholds on the run's stream; without one, take those that the run holds."""
    if not (folder / STREAM_FILE).exists():
        if run.triggers.keys() != set(model.commands):
            raise RunError(
                f"{folder / STREAM_FILE}: missing, and run.json holds no thresholds; export needs "
                "the folder as `edgekws adapt` left it"
            )
        return Thresholds(run.triggers, run.stream_metrics)
    stream = load_stream(folder / STREAM_FILE)
    rows = score_stream(model, built.engine, stream.pcm)
    triggers, metrics = choose_triggers(
        rows.scores,
        rows.samples,
        stream,
        model=model,
        budget_per_hour=run.false_accepts_per_hour_budget,
        data="held-out commands laid into noise and other speech",
    )
    return Thresholds(triggers, (metrics,))
