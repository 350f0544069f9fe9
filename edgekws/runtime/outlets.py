"""Where events go beside stdout: to those who follow, who count, and who write down."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from edgekws.dispatch.journal import Event, Journal

Listener = Callable[[Event, float], None]
"""Takes an event and the monotonic time at which it happened; called from any thread, never waits
and never raises."""


class Outlet(Protocol):
    """What the daemon writes events to."""

    @property
    def closed(self) -> bool:
        """Whether nobody reads any more: then the daemon ends."""
        ...

    def write(self, event: Event) -> None:
        """Take an event, from any thread; OSError where it finds no room."""
        ...


class Outlets:
    """Hands every event to the listeners and then to stdout, whose faults are the caller's."""

    def __init__(
        self,
        journal: Journal,
        listeners: Sequence[Listener],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal, self._listeners, self._clock = journal, tuple(listeners), clock

    @property
    def closed(self) -> bool:
        """Whether stdout has no reader any more."""
        return self._journal.closed

    def write(self, event: Event) -> None:
        """Hand an event on."""
        now = self._clock()
        for listener in self._listeners:
            listener(event, now)
        self._journal.write(event)
