"""`edgekws top`: the running daemon in a terminal, drawn anew twice a second."""

import argparse
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from edgekws.cli.asking import Line
from edgekws.cli.ctl import add_socket
from edgekws.cli.places import socket_to_ask
from edgekws.cli.setup import begin
from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.cli.top_view import Screen
    from edgekws.runtime.control import Status

INTERVAL_SECONDS: Final = 0.5
_ENTER: Final = "\x1b[?1049h\x1b[?25l"  # the other screen, no cursor
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_CLEAR_LINE: Final = "\x1b[2K"  # before its text: behind a full line it takes the last letter
_END_OF_SCREEN: Final = "\x1b[J"
_QUIT: Final = b"qQ\x03\x04"


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add top to the command line."""
    parser = subparsers.add_parser(
        "top", help="watch the running daemon: level, scores, detections, health (q ends it)"
    )
    parser.add_argument("--once", action="store_true", help="print one view and end")
    add_socket(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and draw until a key ends it."""
    begin(verbose=args.verbose)
    if not args.once and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("top needs a terminal; --once prints one view without")
    with Line(socket_to_ask(args.socket)) as line:
        seen = Seen(line)
        if args.once:
            print("\n".join(seen.lines()))
            return 0
        with _terminal():
            try:
                _draw_until_quit(seen)
            except KeyboardInterrupt:
                return 0
    return 0


class Seen:
    """What the daemon answers, and how much of a CPU it took since it was asked before."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._before = (0.0, 0.0)  # seconds since the daemon's start, and of its CPU

    def lines(self) -> list[str]:
        """Ask, and return the view as it fits the terminal."""
        from edgekws.cli.top_view import view
        from edgekws.runtime.control import Ask, Status
        from edgekws.runtime.sight import Scores

        status = self._line.ask(Ask(do="status"), Status)
        scores = self._line.ask(Ask(do="scores"), Scores)
        return view(status, scores, self._cpu_percent(status), _screen())

    def _cpu_percent(self, status: "Status") -> float:
        now = (status.health.uptime_seconds, status.cpu_seconds)
        (wall, cpu), self._before = self._before, now
        return 100.0 * (now[1] - cpu) / max(now[0] - wall, 1e-3)


def _draw_until_quit(seen: Seen) -> None:
    due = time.monotonic()
    while True:
        drawn = "".join(f"{_CLEAR_LINE}{line}\r\n" for line in seen.lines())
        sys.stdout.write(_HOME + drawn.removesuffix("\r\n") + _END_OF_SCREEN)
        sys.stdout.flush()
        due = max(due + INTERVAL_SECONDS, time.monotonic())
        if _quit_within(max(0.0, due - time.monotonic())):
            return


def _quit_within(seconds: float) -> bool:
    """Wait for a key, and return whether it is one that ends."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return False
    keys = os.read(sys.stdin.fileno(), 64)
    return not keys or any(key in _QUIT for key in keys)


@contextmanager
def _terminal() -> Iterator[None]:
    """Take the terminal for drawing, and give it back as it was."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    try:
        tty.setcbreak(file)
        sys.stdout.write(_ENTER)
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _screen() -> "Screen":
    from edgekws.cli.top_view import BLOCKS, PLAIN, Screen

    heights = BLOCKS
    try:
        BLOCKS.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        heights = PLAIN
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return Screen(heights=heights)
    return Screen(size.columns or 80, size.lines or 24, heights)
