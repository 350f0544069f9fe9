"""`edgekws`: parses the command line, runs one command, turns failures into exit codes."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

from edgekws import __version__
from edgekws.errors import EXIT_INTERRUPTED, EdgekwsError, UsageError

EXIT_UNFORESEEN: Final = 1
NO_TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
"""Without it ONNX Runtime 1.32 writes a device id into the home folder and starts a thread."""

GROUPS: Final = {
    "device": ("listen", "wyoming", "classify", "eval", "tune", "bench", "doctor", "devices"),
    "ctl": ("ctl",),
    "explaining": ("explain",),
    "top": ("top",),
    "bundle": ("bundle",),
    "captures": ("captures",),
    "cloud": ("adapt", "export", "demo"),
    "averaging": ("average",),
    "data": ("synth", "fetch"),
    "checking": ("data",),
    "link": ("link",),
}
"""Module of edgekws.cli to the commands that its add_parsers adds, in the order of --help."""

EXIT_BROKEN_PIPE: Final = 141  # 128 + SIGPIPE, as shells count a writer whose reader went away


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    verbose = False
    os.environ[NO_TELEMETRY] = "1"  # before anything imports ONNX Runtime, here and in children
    try:
        if sys.stdout is None:
            raise UsageError("stdout is closed; send it somewhere, if only to /dev/null")
        argv = sys.argv[1:] if argv is None else argv
        args = build_parser(argv).parse_args(argv)
        verbose = args.verbose
        code: int = args.run(args)
    except EdgekwsError as error:
        return _fail(str(error), error.exit_code, verbose=verbose)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED, verbose=False)
    except BrokenPipeError:
        return _end(EXIT_BROKEN_PIPE)
    except Exception as error:  # noqa: BLE001  (the last line of defence: one line, not a dump)
        hint = "" if verbose else " (--verbose shows where)"
        message = f"unforeseen {type(error).__name__}: {error}{hint}"
        return _fail(message, EXIT_UNFORESEEN, verbose=verbose)
    return _end(code)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line like every other."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint as a UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of all commands, or of those beside the one that argv begins with.

    A device then pays for no other command's imports: 2 MB.
    """
    parser: argparse.ArgumentParser = Parser(
        prog="edgekws", description="Keyword spotting for small devices."
    )
    parser.add_argument("--version", action="version", version=f"edgekws {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in _groups_for(argv):
        module: Any = import_module(f"edgekws.cli.{group}")
        module.add_parsers(subparsers)
    for command in subparsers.choices.values():
        command.add_argument("--verbose", action="store_true", help="say more on stderr")
    return parser


def _groups_for(argv: Sequence[str]) -> Sequence[str]:
    asked = [group for group, commands in GROUPS.items() if {*argv[:1]} & {*commands}]
    return asked or tuple(GROUPS)


def _fail(message: str, code: int, *, verbose: bool) -> int:
    """Print one line, after the traceback where that is asked for, and hand the code back."""
    if verbose:
        traceback.print_exc()
    print(f"edgekws: error: {' '.join(message.split())}", file=sys.stderr)
    return _end(code)


def _end(code: int) -> int:
    """Hand the code back, sure that the flush at exit does not fail: it would take its place."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except OSError:  # the reader is gone, or the disk is full: what is buffered goes nowhere
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return code
