"""`edgekws adapt --sweep`: search for a better recipe within a time."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.train.adapt import Adaptation
    from edgekws.train.progress import Reporter
    from edgekws.train.run import Run

USUAL_MINUTES: Final = 30.0


def add_flags(parser: Any) -> None:
    """Add --sweep and its limits."""
    parser.add_argument(
        "--sweep", action="store_true", help="try other values of the recipe, keep the best run"
    )
    parser.add_argument(
        "--budget-minutes",
        type=float,
        metavar="MINUTES",
        help=f"with --sweep: the time for all trials ({USUAL_MINUTES:g})",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="with --sweep: at most so many")


def require_flags(args: argparse.Namespace) -> None:
    """Raise UsageError for limits that are senseless, or of no sweep."""
    for flag, value in (("--budget-minutes", args.budget_minutes), ("--trials", args.trials)):
        if value is None:
            continue
        if not args.sweep:
            raise UsageError(f"{flag}: is of a sweep; add --sweep")
        if not 0 < value < float("inf"):
            raise UsageError(f"{flag} {value:g}: must be above 0")


def run_sweep(args: argparse.Namespace, task: "Adaptation", reporter: "Reporter") -> "Run":
    """Run the sweep and say what came of it."""
    from edgekws.train.sweep import Limits, sweep

    minutes = USUAL_MINUTES if args.budget_minutes is None else args.budget_minutes
    run = sweep(task, Limits(minutes * 60, args.trials or 0), reporter)
    reporter.say(
        f"best recipe: {task.out}/recipe.toml; its validation clips were chosen by, so judge the "
        "run by recordings it never saw: edgekws eval"
    )
    return run
