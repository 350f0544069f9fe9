"""`edgekws average`: one run of the mean weights of several."""

import argparse
from pathlib import Path
from typing import Any

from edgekws.cli.cloud import say, tell_run
from edgekws.cli.interrupts import interruptible


def add_parsers(subparsers: Any) -> None:
    """Add `average`."""
    parser = subparsers.add_parser(
        "average", help="make one run of several from one base: the mean of their weights"
    )
    parser.add_argument(
        "runs", metavar="RUN", type=Path, nargs="+", help="a run folder; named twice it counts so"
    )
    parser.add_argument("--out", type=Path, required=True, help="the run folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace a finished run in --out")
    parser.set_defaults(run=interruptible()(_average))


def _average(args: argparse.Namespace) -> int:
    from edgekws.train.soup import average_runs

    run = average_runs(args.runs, args.out, overwrite=args.overwrite)
    tell_run(run, args.out, say)
    return 0
