"""From a finished run to a bundle: convert, prove, choose thresholds, pack."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.errors import RunError
from edgekws.export.calibration import calibration_steps
from edgekws.export.formats import Converted, Job, Say, convert
from edgekws.export.fusing import fusable
from edgekws.export.golden_audio import golden_audio
from edgekws.export.pack import BuiltModel, pack
from edgekws.export.parity import Figures, Reference, compare, reference, require_parity
from edgekws.export.stepping import at_step, finer_run
from edgekws.export.targets import Target, find_target
from edgekws.export.thresholds import find_thresholds, report_page, report_path
from edgekws.runtime.evaluate import fill_window
from edgekws.specs import ModelKey, ModelSpec
from edgekws.train.run import Run, load_net, load_run, model_spec, write_aside
from edgekws.train.run_audio import Heldout, load_calibration, load_heldout

CALIBRATION_CLIPS: Final = 128  # more move no range on the shipped base, and cost 40 ms each
FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def export_run(
    folder: Path,
    out: Path,
    target: str,
    *,
    say: Say,
    models: Sequence[ModelKey] = (),
    step_ms: int | None = None,
) -> Path:
    """Make the bundle OUT/<name>-<target>/ of a finished run and return its path.

    Beside it comes its report, OUT/<name>-<target>.html, where the run has a stream. `models`, best
    first, stand in for those of the target; with `step_ms` a call takes so much audio, and the
    name ends with it. `say` is told of each stage, and the table at the end. Interrupted at any
    moment, nothing is half-written; equal runs give equal bytes. Raises UsageError for the target
    or the step, RunError for the run, MissingExtraError and ExportError for a format, ParityError
    for a model that is not what was trained, BundleError for the place.
    """
    board, run = find_target(target), load_run(folder)
    model = model_spec(run)
    if step_ms is not None:
        run = finer_run(run, step_ms)
        model = at_step(model_spec(run), step_ms)
    wanted = tuple(models) or fusable(board.models, model)
    place, job = _place(out, run, board, step_ms), _job(folder, run, model, wanted, say=say)
    heldout = load_heldout(folder, n_labels=len(run.labels))
    if step_ms is not None:  # clips fill a window at the step that they were trained with
        heldout = _filling(model, heldout)
    say(f"exporting {run.name} {run.version} for {board.name}: {board.board}")
    converted = convert(job, wanted)
    names = " and ".join(model.key for model in converted)
    say(f"checking {names} against the trained net, {len(heldout.pcm)} clips")
    trained = reference(job.net, job.model, heldout.pcm, heldout.labels)
    with tempfile.TemporaryDirectory(prefix="edgekws-") as aside:
        built = [_prove(model, job.model, trained, Path(aside)) for model in converted]
        say(f"choosing thresholds with {built[0].model.key}")
        thresholds = find_thresholds(
            folder, run, job.model, built[0].engine, graph=converted[0].graph
        )
        golden_pcm = golden_audio(job.model, heldout)
        pack(
            place,
            run,
            job.model,
            board,
            models=built,
            thresholds=thresholds,
            golden_pcm=golden_pcm,
        )
    _report(place, report_page(run, [model.figures for model in built], thresholds))
    for line in table(model.figures for model in built):
        say(line)
    return place


def table(figures: Iterable[Figures]) -> Iterator[str]:
    """Give the lines of the table of figures."""
    yield (
        f"{'model':<20} {'bytes':>9} {'accuracy':>9} {'macro F1':>9} {'agreement':>10} "
        f"{'difference':>11} {'us/step':>8}"
    )
    for row in figures:
        yield (
            f"{row.key:<20} {row.size:>9} {row.accuracy:>9.2%} {row.macro_f1:>9.2%} "
            f"{row.agreement:>10.2%} {row.largest_difference:>11.2g} "
            f"{row.microseconds_per_step:>8.0f}"
        )


def _place(out: Path, run: Run, target: Target, step_ms: int | None) -> Path:
    if not FOLDER_NAME.fullmatch(run.name):
        raise RunError(
            f"name {run.name!r} of run.json is no folder name: use letters, digits, '.', '_' and "
            "'-' in the recipe's `name`, and adapt again"
        )
    step = "" if step_ms is None else f"-{step_ms}ms"
    return out / f"{run.name}-{target.name}{step}"


def _job(folder: Path, run: Run, model: ModelSpec, wanted: Sequence[ModelKey], *, say: Say) -> Job:
    """Return what converters work from; calibration clips are spread evenly over those given."""
    net = load_net(folder, run)
    calibration = load_calibration(folder)
    clips = calibration[:: -(-len(calibration) // CALIBRATION_CLIPS)]
    if any(key.precision.startswith("int") for key in wanted):
        say(f"quantizing, calibrated on {len(clips)} clips")
    return Job(net, model, calibration_steps(model, clips), say)


def _filling(model: ModelSpec, heldout: Heldout) -> Heldout:
    """Return clips that fill a window at the model's step, as `eval` hears them."""
    return Heldout(np.stack([fill_window(model, pcm) for pcm in heldout.pcm]), heldout.labels)


def _report(place: Path, page: str | None) -> None:
    """Write the report beside its bundle; one of an older bundle does not stay."""
    report = report_path(place)
    if page is None:
        report.unlink(missing_ok=True)
    else:
        write_aside(report, page.encode())


def _prove(converted: Converted, model: ModelSpec, trained: Reference, aside: Path) -> BuiltModel:
    """Return a model that agrees with the trained net, or raise ParityError."""
    folder = aside / converted.key
    folder.mkdir()
    engine = converted.open(folder)
    figures = compare(
        model, engine, trained, key=converted.key, size=converted.size, graph=converted.graph
    )
    require_parity(figures, precision=converted.precision)
    return BuiltModel(converted, engine, figures)
