"""`edgekws data check`: what a person must know about recordings before training on them."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.cli.setup import begin, print_line
from edgekws.errors import DataError

if TYPE_CHECKING:
    from edgekws.train.check import Inspection, Verdict

_COLUMNS = ("no_speech", "clipped", "short", "long", "duplicates", "suspect")


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `data` with its verb to the command line."""
    parser = subparsers.add_parser("data", help="judge recordings before training on them")
    verbs = parser.add_subparsers(required=True, metavar="check")
    _add_check(verbs)


def _add_check(verbs: Any) -> None:
    check = verbs.add_parser(
        "check", help="print figures and findings; exit code 4 for what would spoil a training"
    )
    check.add_argument("data", metavar="DIR", type=Path, help="one folder per label")
    check.add_argument("--recipe", type=Path, help="takes its labels and shares of the splits")
    for name, what in (
        ("--unknown", "a folder of other words or speech"),
        ("--noise", "a folder of noise"),
        ("--heldout", "a set for `eval` only: it must share no speaker and no clip with DIR"),
    ):
        check.add_argument(name, type=Path, action="append", default=[], help=what)
    check.add_argument("--base", default="base-en", help="hears wrong labels (base-en)")
    check.add_argument("--quick", action="store_true", help="do not look for wrong labels")
    check.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line per label and per finding, and one of the whole; DataError for any fault."""
    begin(verbose=args.verbose)
    import torch

    from edgekws.train.check import inspect
    from edgekws.train.progress import Reporter

    torch.set_num_threads(1)  # so small products only lose by sharing
    reporter = Reporter()
    verdict = inspect(_inspection(args), reporter)
    for label in verdict.labels:
        print_line({"event": "label", **_plain(label)})
    for finding in verdict.findings:
        print_line({"event": "finding", **_plain(finding)})
    print_line({"event": "data", "path": str(args.data), **_plain(verdict.data)})
    for line in table(verdict):
        reporter.say(line)
    if verdict.data.faults:
        kinds = dict.fromkeys(f.kind for f in verdict.findings if f.severity == "fault")
        raise DataError(
            f"{args.data}: {verdict.data.faults} fault(s) would spoil a training "
            f"({', '.join(kinds)}); mend what the lines above name"
        )
    return 0


def table(verdict: "Verdict") -> Iterator[str]:
    """Give the lines of the table, and then each finding."""
    titles = " ".join(f"{name.replace('_', ' '):>10}" for name in _COLUMNS)
    yield f"{'label':<16} {'clips':>6} {'learn':>6} {'check':>6} {'voices':>6} {'dB':>6} {titles}"
    for row in verdict.labels:
        counts = " ".join(f"{row.findings.get(name, 0) or '':>10}" for name in _COLUMNS)
        yield (
            f"{row.label:<16} {row.clips:>6} {row.training:>6} {row.validation + row.testing:>6} "
            f"{row.speakers or '?':>6} {row.level_db:>6.1f} {counts}"
        )
    data = verdict.data
    rates = ", ".join(f"{count} at {rate} Hz" for rate, count in data.sample_rates.items())
    yield (
        f"{data.clips} recordings, {data.seconds / 60:.1f} minutes, {data.speakers or 'no'} named "
        f"speakers, {data.noise_seconds:.0f} s of noise; the split is {data.split}; {rates}"
    )
    for finding in verdict.findings:
        yield f"{finding.severity}: {finding.message}"


def _inspection(args: argparse.Namespace) -> "Inspection":
    from edgekws.train.check import Inspection
    from edgekws.train.dataset import Folders
    from edgekws.train.pretrained import load_base
    from edgekws.train.recipe import load_recipe
    from edgekws.train.recipe_data import DataRecipe

    recipe = load_recipe(args.recipe)[0] if args.recipe else None
    return Inspection(
        Folders(args.data, tuple(args.unknown), tuple(args.noise)),
        recipe.data if recipe else DataRecipe(),
        recipe.labels if recipe else (),
        tuple(args.heldout),
        None if args.quick else load_base(args.base),
    )


def _plain(value: Any) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
