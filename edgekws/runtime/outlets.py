"""Where events go: to stdout, and to those who follow, count and write down beside it."""

from collections.abc import Callable
from typing import Protocol

from edgekws.dispatch.journal import Event

Listener = Callable[[Event, float], None]
"""Takes an event and the monotonic time at which it happened; called from any thread, never waits
and never raises."""


class Outlet(Protocol):
    """What the lines are written to."""

    @property
    def closed(self) -> bool:
        """Whether nobody reads any more: then the daemon ends."""
        ...

    def write(self, event: Event) -> None:
        """Take an event; OSError where it finds no room."""
        ...
