"""Sends detections to their sinks without ever making the ears wait."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.worker import Worker
from edgekws.events import Detection, Dispatch

log = logging.getLogger(__name__)

QUEUE_SIZE: Final = 16  # detections that wait for one sink; a person says no more in ten seconds
_STOP_SECONDS: Final = 1.0  # of the time to close, kept for ending what hangs


class Dispatcher:
    """One worker per sink of the table; each result, a drop too, goes to `on_result`.

    `on_result` is called on the workers' threads, and by `submit` and `close` for what they drop,
    so it has to be safe for threads (`Journal.write` is). Workers of sinks that a dispatcher
    `before` has too are taken from it, with their queues, and both count together.
    """

    def __init__(
        self,
        table: CommandTable,
        on_result: Callable[[Dispatch], None],
        *,
        queue_size: int = QUEUE_SIZE,
        before: "Dispatcher | None" = None,
    ) -> None:
        self._table = table
        self._on_result = on_result
        self._lock: threading.Lock = threading.Lock() if before is None else before._lock
        self._counts: Counter[str] = Counter() if before is None else before._counts
        self._closed = False
        self._workers = {} if before is None else before.hand_over(table)
        for sink in table.sinks:
            if id(sink) not in self._workers:
                self._workers[id(sink)] = Worker(sink, self._report, queue_size=queue_size)

    def hand_over(self, table: CommandTable) -> dict[int, Worker]:
        """Give the workers of a table's sinks away; only those that are left are closed with it."""
        kept = [id(sink) for sink in table.sinks if id(sink) in self._workers]
        return {key: self._workers.pop(key) for key in kept}

    @property
    def alive(self) -> bool:
        """False once a worker's thread died: then the process is to end, never deaf but alive."""
        return not any(worker.died for worker in self._workers.values())

    @property
    def ended(self) -> bool:
        """Whether it was closed and nothing of it runs any more."""
        return self._closed and self._join(0.0)

    def counts(self) -> Mapping[str, int]:
        """Return how many dispatches ended "done", "failed", "timeout" and "dropped" so far."""
        with self._lock:
            return {key: self._counts[key] for key in ("done", "failed", "timeout", "dropped")}

    def submit(self, detection: Detection) -> None:
        """Queue the detection at each sink of its label; what finds no room is reported dropped."""
        for sink in self._table.sinks_for(detection.label):
            if not self._workers[id(sink)].offer(detection):
                reason = "dispatcher is closed" if self._closed else "the sink's queue is full"
                self._drop(detection, sink.name, reason)

    def close(self, timeout_seconds: float) -> bool:
        """Let the sinks work off their queues, then stop them, all within the time.

        The last second of it, or the last half where it is shorter than two, is kept for ending
        what hangs. Return whether every worker ended: False names a sink that does not come back.
        """
        if self._closed:
            return all(worker.join(0.0) for worker in self._workers.values())
        self._closed = True
        deadline = time.monotonic() + timeout_seconds
        for worker in self._workers.values():
            worker.finish()
        self._join(deadline - min(_STOP_SECONDS, timeout_seconds / 2))
        self._abandon()
        self._close_sinks()
        if not (ended := self._join(deadline)):
            log.warning("dispatch left hanging sinks=%s", self._hanging())
        return ended

    def _join(self, deadline: float) -> bool:
        return all(worker.join(deadline) for worker in self._workers.values())

    def _close_sinks(self) -> None:
        with ExitStack() as closing:  # a sink whose close raises does not keep others open
            for worker in self._workers.values():
                closing.callback(worker.sink.close)

    def _hanging(self) -> str:
        stuck = (w.sink.name for w in self._workers.values() if not w.join(0.0))
        return ",".join(stuck)

    def _abandon(self) -> None:
        for worker in self._workers.values():
            for detection in worker.abandon():
                self._drop(detection, worker.sink.name, "edgekws is closing")

    def _drop(self, detection: Detection, sink: str, reason: str) -> None:
        self._report(Dispatch(detection.id, detection.label, sink, "dropped", reason, attempts=0))

    def _report(self, result: Dispatch) -> None:
        with self._lock:
            self._counts[result.status] += 1
        self._on_result(result)
