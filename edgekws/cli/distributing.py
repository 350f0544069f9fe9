"""`edgekws adapt` in several processes: of this machine by --processes, of many by torchrun."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgekws.errors import EdgekwsError, UsageError

if TYPE_CHECKING:
    from edgekws.train.adapt import Adaptation
    from edgekws.train.progress import Reporter
    from edgekws.train.recipe import Recipe
    from edgekws.train.run import Run

TORCHRUN: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process; torch itself reads where to meet."""
BY_TORCHRUN: Final = "env://"


@dataclass(frozen=True, slots=True)
class Place:
    """This process among `count` that torchrun started, `here` of them on this machine."""

    rank: int = 0
    count: int = 1
    here: int = 1


def find_place(args: argparse.Namespace, environ: Mapping[str, str]) -> Place:
    """Return the place that the environment gives; UsageError where it is half of one."""
    if not {"RANK", "WORLD_SIZE"} & environ.keys():
        return Place()
    if missing := [name for name in TORCHRUN if not environ.get(name)]:
        raise UsageError(
            f"adapt: the environment has part of torchrun's, but no {', '.join(missing)}; "
            "start it by torchrun, or unset RANK and WORLD_SIZE"
        )
    count = _number(environ, "WORLD_SIZE", least=1)
    rank = _number(environ, "RANK", least=0, most=count - 1)
    _number(environ, "MASTER_PORT", least=1, most=65_535)
    place = Place(rank, count, here=_number(environ, "LOCAL_WORLD_SIZE", least=1))
    if place.count > 1 and args.processes > 1:
        raise UsageError("--processes: torchrun has started all there are; leave it out")
    if place.count > 1 and args.sweep:
        raise UsageError("--sweep: trials do not go over torchrun; take --processes instead")
    return place


def require_enough(recipe: "Recipe", args: argparse.Namespace, place: Place) -> None:
    """Raise UsageError where a process would have no example of a batch."""
    batch, count = recipe.optimizer.batch, max(args.processes, place.count)
    if count > batch:
        flag = "--processes" if args.processes > 1 else "WORLD_SIZE"
        raise UsageError(
            f"{flag} {count}: a batch of recipe {recipe.name!r} has {batch} examples to share; "
            "take fewer processes, or a larger optimizer.batch"
        )


def train(task: "Adaptation", reporter: "Reporter", place: Place) -> "Run | None":
    """Train alone, with processes of our own, or as one of torchrun's: only its rank 0 has the run.

    A failure that all of those share is said by rank 0.
    """
    from edgekws.train.adapt import adapt, adapt_as
    from edgekws.train.ranks import LostTouchError, joined

    if place.count == 1:
        return adapt(task, reporter)
    try:
        with joined(place.rank, place.count, meeting=BY_TORCHRUN) as ranks:
            return adapt_as(ranks, task, reporter)
    except EdgekwsError as fault:
        if place.rank == 0 or isinstance(fault, LostTouchError):
            raise
        raise SystemExit(fault.exit_code) from fault


def meet_on_this_machine() -> None:
    """Let processes of one machine talk through its loopback: set before they start."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def _number(environ: Mapping[str, str], name: str, *, least: int, most: int = 2**31 - 1) -> int:
    text = environ.get(name, "1")
    if not text.isdecimal() or not least <= int(text) <= most:
        raise UsageError(
            f"{name}={text!r} in the environment: must be a number from {least} to {most}; "
            "start it by torchrun, or unset RANK and WORLD_SIZE"
        )
    return int(text)
