"""`edgekws ctl`: asks the running daemon how it is, mutes it, reloads it, follows what it hears."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgekws.cli.asking import Line
from edgekws.cli.places import socket_to_ask
from edgekws.cli.setup import begin, print_line
from edgekws.errors import ConfigError, EdgekwsError, UsageError

if TYPE_CHECKING:
    from edgekws.runtime.control import Status

RELOAD_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ctl to the command line."""
    parser = subparsers.add_parser("ctl", help="ask the running daemon, mute it, reload it")
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    for name, text in (
        ("status", "print how it is, as a line of JSON"),
        ("unmute", "hear again"),
        ("reload", "read listen.toml and bundle anew, and say how that went"),
        ("tail", "print each event as a line of JSON, as it comes"),
    ):
        add_socket(verbs.add_parser(name, help=text))
    mute = verbs.add_parser("mute", help="let the model hear silence")
    mute.add_argument(
        "--for",
        dest="seconds",
        type=float,
        metavar="SECONDS",
        help="and hear again by itself, such as while the device speaks; at most an hour",
    )
    add_socket(mute)
    parser.set_defaults(run=run)


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Add what names the socket."""
    parser.add_argument("--socket", type=Path, metavar="PATH", help="the daemon's control socket")


def run(args: argparse.Namespace) -> int:
    """Do one thing with the daemon."""
    begin(verbose=args.verbose)
    with Line(socket_to_ask(args.socket)) as line:
        {"status": _status, "tail": _tail, "reload": _reload}.get(args.verb, _mute)(line, args)
    return 0


def _status(line: Line, args: argparse.Namespace) -> None:
    del args
    print_line(_ask_status(line))


def _mute(line: Line, args: argparse.Namespace) -> None:
    from edgekws.runtime.control import Agreed, Ask

    try:
        ask = Ask(do=args.verb, seconds=getattr(args, "seconds", None))
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    line.ask(ask, Agreed)


def _reload(line: Line, args: argparse.Namespace) -> None:
    """Have it reload, and wait for what comes of it."""
    from edgekws.runtime.control import Agreed, Ask

    del args
    line.ask(Ask(do="reload"), Agreed)
    deadline = time.monotonic() + RELOAD_SECONDS
    while (failure := _ask_status(line).reload_failure) is None:
        if time.monotonic() > deadline:
            raise EdgekwsError(f"the reload has not ended within {RELOAD_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    if failure:
        raise ConfigError(f"the reload failed, all stays as it was: {failure}")


def _tail(line: Line, args: argparse.Namespace) -> None:
    from edgekws.runtime.control import Agreed, Ask

    del args
    line.ask(Ask(do="tail"), Agreed)
    for event in line.lines():
        sys.stdout.buffer.write(event + b"\n")
        sys.stdout.buffer.flush()


def _ask_status(line: Line) -> "Status":
    from edgekws.runtime.control import Ask, Status

    return line.ask(Ask(do="status"), Status)
