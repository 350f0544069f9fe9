"""What a person sees of a fetch or a synthesis, and how their Ctrl-C reaches it."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Terminal:
    """Shows on stderr how a long piece of work goes: lines, and a bar where that is a terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0.0
        self._interrupted = False

    def say(self, text: str) -> None:
        """Write one line, in the place of the bar."""
        end = "\x1b[K\n" if self._live else "\n"
        print(f"\r{text}" if self._live else text, end=end, file=sys.stderr, flush=True)

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar, at most five times a second; a Ctrl-C that waits comes through here."""
        if self._interrupted:
            raise KeyboardInterrupt
        now = time.monotonic()
        if not self._live or (now - self._shown < 0.2 and done < total):
            return
        self._shown = now
        filled = 30 * done // max(1, total)
        count = f"{done / 1e6:.0f}/{total / 1e6:.0f} MB" if total >= 10**6 else f"{done}/{total}"
        bar = f"\r{what} [{'#' * filled:<30}] {count}\x1b[K"
        print(bar, end="", file=sys.stderr, flush=True)

    @contextmanager
    def interrupted_between_steps(self) -> Iterator[None]:
        """Let Ctrl-C wait for the next `progress`: raised inside eSpeak's callback it is lost."""
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, _number: int, _frame: object) -> None:
        self._interrupted = True
