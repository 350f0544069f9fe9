"""What a person sees of long work: a bar on a terminal, and lines everywhere."""

import io
import sys
import time
from typing import Protocol, TextIO


class EpochLine(Protocol):
    """The figures that an epoch's line shows."""

    epoch: int
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class Reporter:
    """Writes to one text stream, stderr unless told; the bar moves at most five times a second."""

    def __init__(
        self, epochs: int = 0, out: TextIO | None = None, *, epoch_lines: bool = True
    ) -> None:
        self.epochs, self.epoch_lines = epochs, epoch_lines
        self.out = out or sys.stderr
        self.live = self.out.isatty()
        self._shown = 0.0

    def say(self, text: str) -> None:
        """Write one line."""
        self._line(text)

    def batch(self, epoch: int, done: int, total: int, loss: float) -> None:
        """Move the bar."""
        self._bar(f"epoch {epoch + 1}/{self.epochs}", done, total, f"loss {loss:.3f}")

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar of something counted: files, words, or bytes where there are millions."""
        self._bar(what, done, total)

    def epoch(self, figures: EpochLine, best_epoch: int) -> None:
        """Write the line of an epoch, unless there are many of them."""
        if not self.epoch_lines:
            return
        mark = " *" if figures.epoch == best_epoch else ""
        self._line(
            f"epoch {figures.epoch}/{self.epochs}: loss {figures.training_loss:.3f}, validation "
            f"loss {figures.validation_loss:.3f}, accuracy {figures.validation_accuracy:.2%} "
            f"({figures.seconds:.0f} s){mark}"
        )

    def _bar(self, name: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if not self.live or (now - self._shown < 0.2 and done < total):
            return
        self._shown = now
        filled = 30 * done // max(1, total)
        count = f"{done / 1e6:.0f}/{total / 1e6:.0f} MB" if total >= 10**6 else f"{done}/{total}"
        self.out.write(f"\r{name} [{'#' * filled:<30}] {count} {note}\x1b[K")
        self.out.flush()

    def _line(self, text: str) -> None:
        self.out.write(f"\r{text}\x1b[K\n" if self.live else f"{text}\n")
        self.out.flush()


def unheard() -> Reporter:
    """Return the reporter of a process that has nothing to say beside the one that speaks."""
    return Reporter(out=io.StringIO())
