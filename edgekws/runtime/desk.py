"""Where detections go: the dispatcher in force, and those before it that still work off queues."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.dispatcher import Dispatcher
from edgekws.events import Block, Detection, Dispatch
from edgekws.runtime.health import DispatchCounts

FAREWELL_SECONDS: Final = 60.0  # what sinks have for their queues when a reload replaces them


class Desk:
    """Hands detections to one dispatcher; a table that is replaced gets time to finish."""

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
        """Send what comes from now on through another table; the very same one changes nothing."""
        if table is self._table:
            return
        old, self._current, self._table = self._current, Dispatcher(table, self._on_result), table
        self._hearers = table.hearers
        self._retired.append(old)
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
        total: Counter[str] = Counter()
        for dispatcher in (self._current, *self._retired):
            total.update(dispatcher.counts())
        return DispatchCounts(**total)

    def close(self, timeout_seconds: float) -> None:
        """Close all within the time."""
        deadline = time.monotonic() + timeout_seconds
        for dispatcher in (self._current, *self._retired):
            dispatcher.close(max(0.0, deadline - time.monotonic()))
