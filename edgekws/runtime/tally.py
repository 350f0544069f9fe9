"""Counts what went wrong in a stream by kind, and says each kind once."""

from collections.abc import Callable

Warn = Callable[[str], None]


def unheard(message: str) -> None:
    """Take a warning and tell nobody."""
    del message


class Tally:
    """How often each kind of trouble came; the first of a kind is handed to `warn`."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._counts: dict[str, int] = {}

    def note(self, kind: str, message: str) -> None:
        """Count one occurrence of a kind; the message of the first one becomes a warning."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] == 1:
            self._warn(f"{message} (said once, counted from now on)")

    def total(self) -> int:
        """Return how often anything came."""
        return sum(self._counts.values())
