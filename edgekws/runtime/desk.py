"""Where detections go: the dispatcher in force, and those before it that still work off queues."""

import threading
import time
from collections.abc import Callable
from typing import Final

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.dispatcher import Dispatcher
from edgekws.events import Block, Detection, Dispatch
from edgekws.runtime.health import DispatchCounts

FAREWELL_SECONDS: Final = 60.0  # what sinks have for their queues when a reload replaces them


class Desk:
    """Hands detections to one dispatcher; sinks that a new table lacks get time to finish."""

    def __init__(self, table: CommandTable, on_result: Callable[[Dispatch], None]) -> None:
        self._on_result = on_result
        self._table = table
        self._hearers = table.hearers
        self._current = Dispatcher(table, on_result)
        self._retired: list[Dispatcher] = []
        self._submitted = 0

    def hear(self, block: Block) -> None:
        """Let the sinks that want audio have a block, before what is detected in it."""
        for hearer in self._hearers:
            hearer.hear(block)

    def submit(self, detection: Detection) -> None:
        """Queue a detection at the sinks of its label."""
        self._submitted += len(self._table.sinks_for(detection.label))
        self._current.submit(detection)

    def replace(self, table: CommandTable) -> None:
        """Send what comes from now on through another table."""
        old = self._current
        self._current = Dispatcher(table, self._on_result, before=old)
        self._table = table
        self._hearers = table.hearers
        self._retired = [each for each in self._retired if not each.ended] + [old]
        threading.Thread(
            target=old.close, args=(FAREWELL_SECONDS,), name="farewell", daemon=True
        ).start()

    @property
    def alive(self) -> bool:
        """False once the thread of a sink died."""
        return all(dispatcher.alive for dispatcher in (self._current, *self._retired))

    @property
    def finished(self) -> bool:
        """Whether every detection submitted has come to its results."""
        counts = self.counts()
        ended = counts.done + counts.failed + counts.timeout + counts.dropped
        return ended >= self._submitted

    def counts(self) -> DispatchCounts:
        """Return how the dispatches ended so far."""
        return DispatchCounts(**self._current.counts())

    def close(self, timeout_seconds: float) -> None:
        """Close all within the time."""
        deadline = time.monotonic() + timeout_seconds
        for dispatcher in (self._current, *self._retired):
            dispatcher.close(max(0.0, deadline - time.monotonic()))
