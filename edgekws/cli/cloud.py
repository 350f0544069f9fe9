"""The commands of the cloud side: adapt, export, demo; torch is imported only when one runs."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.cli import distributing, sweeping
from edgekws.cli.counts import at_least_one
from edgekws.cli.interrupts import interruptible
from edgekws.errors import EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from edgekws.train.run import Report, Run


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `adapt`, `export` and `demo`."""
    _add_adapt(subparsers)
    _add_export(subparsers)
    _add_demo(subparsers)


def _add_adapt(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "adapt", help="teach a base your commands, or train one from scratch by a recipe"
    )
    parser.add_argument("--recipe", type=Path, required=True, help="models/recipes/*.toml")
    parser.add_argument("--data", type=Path, required=True, help="one folder per label")
    parser.add_argument("--out", type=Path, required=True, help="the run folder to make")
    parser.add_argument(
        "--base", default="", help="in place of the recipe's: a name or a run folder"
    )
    parser.add_argument(
        "--unknown",
        type=Path,
        action="append",
        default=[],
        help="a folder of other words or speech",
    )
    parser.add_argument(
        "--hard-negatives",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder of what was nearly taken for a command, only to learn from",
    )
    parser.add_argument("--noise", type=Path, action="append", default=[], help="a folder of noise")
    parser.add_argument("--overwrite", action="store_true", help="replace a finished run in --out")
    parser.add_argument(
        "--threads",
        type=at_least_one,
        default=len(os.sched_getaffinity(0)),
        help="for torch, divided among the processes of this machine (all that there are)",
    )
    parser.add_argument(
        "--processes",
        type=at_least_one,
        default=1,
        metavar="N",
        help="share every batch among so many processes of this machine (1)",
    )
    sweeping.add_flags(parser)
    parser.set_defaults(run=interruptible()(_adapt))


def _add_export(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export", help="make the bundle of a run for a board; without a run, of the newest one"
    )
    parser.add_argument("run_folder", metavar="RUN", type=Path, nargs="?", help="a run folder")
    parser.add_argument("--target", required=True, help="rpi, rpi-zero2, jetson, x86 or mcu")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="where bundles go (dist)")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FORMAT-PRECISION",
        help="a model of the bundle, such as tflite-int8, best first (those of the target); with "
        "-fused at the end the front end is inside its graph",
    )
    parser.add_argument(
        "--step-ms",
        type=at_least_one,
        metavar="N",
        help="audio to a call of the model (80), a multiple of what lies between two rows of its "
        "scores, for a tcn of 10; the bundle's name ends with it",
    )
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="VERSION",
        help="a Python of the board, such as 3.13; may be given again (all that the target has)",
    )
    parser.add_argument(
        "--wheelhouse",
        action="store_true",
        help="download the board's packages into the archive: it installs without a network",
    )
    parser.set_defaults(run=interruptible()(_export))


def _add_demo(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo", help="adapt, export and listen on synthesized speech, to see the whole pipe work"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), help="folder for speech and logs"
    )
    parser.set_defaults(run=_demo)


def _adapt(args: argparse.Namespace) -> int:
    sweeping.require_flags(args)
    place = distributing.find_place(args, os.environ)
    if args.processes > 1:
        distributing.meet_on_this_machine()
    _wait_without_spinning()
    from edgekws.train.adapt import Adaptation
    from edgekws.train.dataset import Folders
    from edgekws.train.progress import Reporter, unheard
    from edgekws.train.recipe import load_recipe

    recipe, _ = load_recipe(args.recipe)
    distributing.require_enough(recipe, args, place)
    epochs = sum(phase.epochs for phase in recipe.phases)
    reporter = Reporter(epochs, epoch_lines=not args.sweep) if place.rank == 0 else unheard()
    folders = Folders(args.data, tuple(args.unknown), tuple(args.noise), tuple(args.hard_negatives))
    task = Adaptation(
        args.recipe,
        folders,
        args.out,
        args.overwrite,
        max(1, args.threads // place.here),
        args.base,
        args.processes,
    )
    try:
        if args.sweep:
            run: Run | None = sweeping.run_sweep(args, task, reporter)
        else:
            run = distributing.train(task, reporter, place)
    except KeyboardInterrupt:
        where = "in" if args.sweep else "from the last epoch in"
        reporter.say(f"interrupted; the same command goes on {where} {args.out}")
        return EXIT_INTERRUPTED
    if run is not None:
        tell_run(run, args.out, reporter.say)
    return 0


def tell_run(run: "Run", out: Path, say: Callable[[str], None]) -> None:
    """Print the figures of a finished run, where it is, and what to do with it."""
    for line in report_lines(run.report):
        say(line)
    report = run.report
    _result({"run": str(out), "accuracy": report.accuracy, "macro_f1": report.macro_f1})
    say(f"next: edgekws export {out} --target rpi --out dist")


def _export(args: argparse.Namespace) -> int:
    _wait_without_spinning()
    from edgekws.export.release import release

    folder = args.run_folder or newest_run(Path("runs"))
    try:
        made = release(
            lambda out: _export_run(folder, out, args) if folder else _export_shipped(out, args),
            args.out,
            args.target,
            pythons=args.python,
            wheelhouse=args.wheelhouse,
            say=say,
        )
    except KeyboardInterrupt:
        say("interrupted; no bundle was changed")
        return EXIT_INTERRUPTED
    report = str(made.report) if made.report else None
    _result(
        {
            "bundle": str(made.folder),
            "archive": str(made.archive),
            "report": report,
            "target": args.target,
        }
    )
    if report:
        say(f"what it hears, and at which thresholds, in curves: {report}")
    if made.firmware:
        say(f"next: make -C {made.firmware} test, and its README.md")
    else:
        say(f"next: edgekws listen --bundle {made.folder}")
    if made.installs:
        say(f"or copy {made.archive} to the board: tar xf, then sh {made.folder.name}/install.sh")
    return 0


def _demo(args: argparse.Namespace) -> int:
    from edgekws.cli import demo  # 1 MB, which no device pays

    return demo.run(args)


def _export_run(folder: Path, out: Path, args: argparse.Namespace) -> Path:
    from edgekws.export.keys import parse_key
    from edgekws.export.pipeline import export_run

    models = [parse_key(text) for text in args.model]
    if args.run_folder is None:
        say(f"no run named: taking the newest one, {folder}")
    return export_run(folder, out, args.target, say=say, models=models, step_ms=args.step_ms)


def _export_shipped(out: Path, args: argparse.Namespace) -> Path:
    from edgekws.export.repack import repack
    from edgekws.export.targets import find_target
    from edgekws.runtime.wiring import find_shipped

    if args.step_ms is not None:
        raise UsageError("export: --step-ms needs a RUN, the graphs of a bundle have their step")
    place = find_shipped(find_target(args.target).shipped)
    say(f"no run in runs/: taking the shipped bundle {place.name}")
    return repack(place, out, args.target, say=say, models=args.model)


def newest_run(root: Path) -> Path | None:
    """Return the folder of the run finished last under a root, None where there is none."""
    finished = sorted(root.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    return finished[-1].parent if finished else None


def _result(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def say(text: str) -> None:
    """Print a message on stderr."""
    print(text, file=sys.stderr, flush=True)


def _wait_without_spinning() -> None:
    """Keep torch's threads off the cores that others use: set before torch is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def report_lines(report: "Report") -> Iterable[str]:
    """Give the lines of a report's table."""
    yield (
        f"validation ({report.clips} clips, {report.split}): accuracy {report.accuracy:.2%}, "
        f"macro F1 {report.macro_f1:.2%}"
    )
    yield f"{'label':<16} {'precision':>9} {'recall':>7} {'F1':>7} {'clips':>6}"
    for label in report.labels:
        row = report.per_label[label]
        yield (
            f"{label:<16} {row.precision:>9.1%} {row.recall:>7.1%} {row.f1:>7.1%} {row.clips:>6}"
        )
    for language, heard in report.per_language.items():
        yield f"{f'language {language}':<26} {heard.recall:>7.1%} {heard.clips:>14}"
