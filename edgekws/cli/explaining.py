"""`edgekws explain`: the scores around a detection or near miss of the running daemon."""

import argparse
import re
from typing import TYPE_CHECKING, Final

from edgekws.cli.asking import Line
from edgekws.cli.ctl import add_socket
from edgekws.cli.places import socket_to_ask
from edgekws.cli.setup import begin, print_line
from edgekws.cli.top_view import fitted, padded
from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.runtime.control import Ask
    from edgekws.runtime.moments import Explanation

SHOWN: Final = 5  # labels side by side; the others have less to say
_ID: Final = re.compile(r"(?P<near>n?)(?P<number>\d{1,9})", re.ASCII)
_WIDTH: Final = 12
_TITLE: Final = 40


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add explain to the command line."""
    parser = subparsers.add_parser(
        "explain", help="print the scores around a detection of the running daemon"
    )
    parser.add_argument(
        "id", metavar="ID", help="of a detection, such as 3, or of a near miss, such as n3"
    )
    parser.add_argument("--json", action="store_true", help="print all of it as a line of JSON")
    add_socket(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and print a table."""
    begin(verbose=args.verbose)
    from edgekws.runtime.moments import Explanation

    ask = _ask(args.id)
    with Line(socket_to_ask(args.socket)) as line:
        told = line.ask(ask, Explanation)
    if args.json:
        print_line(told)
    else:
        print("\n".join(lines(told)))
    return 0


def lines(told: "Explanation") -> list[str]:
    """Return the table: a line on what it took, and one for each row of scores."""
    columns = _columns(told)
    names = ["seconds", "mean", *(told.labels[column] for column in columns)]
    head = "".join(_right(name) for name in names)
    rows = zip(told.ends, told.means, told.scores, strict=True)
    return [
        _title(told),
        head,
        *(_row(told, end, [mean, *(row[c] for c in columns)]) for end, mean, row in rows),
    ]


def _right(name: str) -> str:
    """Return a name at the right of its column, which is counted in cells."""
    return " " * 2 + padded(name, _WIDTH, right=True)


def _title(told: "Explanation") -> str:
    rate, spec, label = told.sample_rate, told.trigger, fitted(told.label, _TITLE)
    return (
        f'{told.kind} {told.id}: "{label}" at {told.sample / rate:.3f} s; it takes a mean of'
        f" {spec.on:g} over {spec.mean_samples / rate:g} s, {spec.consecutive} rows in a row, then"
        f" below {spec.off:g} and {spec.refractory_samples / rate:g} s until the next"
    )


def _row(told: "Explanation", end: int, values: list[float]) -> str:
    offset = (end - told.sample) / told.sample_rate
    mark = (" <- on" if values[0] >= told.trigger.on else "") + (" <- here" if not offset else "")
    return f"{offset:>+{_WIDTH + 2}.3f}" + "".join(f"{v:>{_WIDTH + 2}.2f}" for v in values) + mark


def _columns(told: "Explanation") -> list[int]:
    """Return the label's own column, and those of the labels that rose most beside it."""
    own = told.labels.index(told.label)
    peaks = [max((row[c] for row in told.scores), default=0.0) for c in range(len(told.labels))]
    others = sorted((c for c in range(len(peaks)) if c != own), key=lambda c: -peaks[c])
    return [own, *others[: SHOWN - 1]]


def _ask(text: str) -> "Ask":
    from edgekws.runtime.control import Ask

    found = _ID.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no ID: 3 is a detection, n3 a near miss")
    number = int(found["number"])
    return Ask(do="explain", kind="near miss" if found["near"] else "detection", id=number)
