"""The commands of the cloud side: adapt and export; torch is imported only when one runs."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.errors import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from edgekws.train.run import Report


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `adapt` and `export`."""
    _add_adapt(subparsers)


def _add_adapt(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "adapt", help="teach a base your commands, or train one from scratch by a recipe"
    )
    parser.add_argument("--recipe", type=Path, required=True, help="models/recipes/*.toml")
    parser.add_argument("--data", type=Path, required=True, help="one folder per label")
    parser.add_argument("--out", type=Path, required=True, help="the run folder to make")
    parser.add_argument(
        "--unknown",
        type=Path,
        action="append",
        default=[],
        help="a folder of other words or speech",
    )
    parser.add_argument("--noise", type=Path, action="append", default=[], help="a folder of noise")
    parser.add_argument("--overwrite", action="store_true", help="replace a finished run in --out")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.set_defaults(run=_adapt)


def _adapt(args: argparse.Namespace) -> int:
    from edgekws.train.adapt import Adaptation, adapt
    from edgekws.train.dataset import Folders
    from edgekws.train.progress import Reporter
    from edgekws.train.recipe import load_recipe

    recipe, _ = load_recipe(args.recipe)
    reporter = Reporter(sum(phase.epochs for phase in recipe.phases))
    folders = Folders(args.data, tuple(args.unknown), tuple(args.noise))
    task = Adaptation(args.recipe, folders, args.out, args.overwrite, args.threads)
    try:
        run = adapt(task, reporter)
    except KeyboardInterrupt:
        reporter.say(f"interrupted; the same command goes on from the last epoch in {args.out}")
        return EXIT_INTERRUPTED
    for line in report_lines(run.report):
        reporter.say(line)
    print(f"next: edgekws export {args.out} --target rpi --out dist", file=sys.stderr)
    return 0


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
