"""One thread that feeds one sink from a bounded queue."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from edgekws.dispatch.sink import Aging, Sink
from edgekws.events import Detection, Dispatch

log = logging.getLogger(__name__)


class Worker:
    """Hands detections to its sink in order; a sink that raises is a failed dispatch.

    `on_result` is called on the worker's thread. What it raises ends the thread, and `died` says
    so. The thread is a daemon: a sink that never comes back cannot hold up the end of the process.
    """

    def __init__(
        self, sink: Sink, on_result: Callable[[Dispatch], None], *, queue_size: int
    ) -> None:
        self.sink = sink
        self._on_result = on_result
        self._queue_size = queue_size
        self._queue: deque[tuple[Detection, float]] = deque()  # with when it was queued
        self._changed = threading.Condition()
        self._finishing = False
        self.died = False
        """Whether the thread ended without having been told to."""
        self._thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        self._thread.start()

    def offer(self, detection: Detection) -> bool:
        """Queue a detection without waiting; False where there is no room or no more to come."""
        with self._changed:
            if self._finishing or len(self._queue) >= self._queue_size:
                return False
            self._queue.append((detection, time.monotonic()))
            self._changed.notify()
            return True

    def finish(self) -> None:
        """Let the thread end once the queue is empty."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def abandon(self) -> tuple[Detection, ...]:
        """Empty the queue and return what was in it."""
        with self._changed:
            left = tuple(detection for detection, _ in self._queue)
            self._queue.clear()
            return left

    def join(self, deadline: float) -> bool:
        """Wait for the thread until a `time.monotonic` deadline; return whether it ended."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        finished = False
        try:
            while (waiting := self._next()) is not None:
                self._on_result(self._send(*waiting))
            finished = True
        finally:
            self.died = not finished

    def _next(self) -> tuple[Detection, float] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._finishing)
            return self._queue.popleft() if self._queue else None

    def _send(self, detection: Detection, queued: float) -> Dispatch:
        try:
            result: object = self._hand_over(detection, queued)
            if not isinstance(result, Dispatch):
                raise TypeError(f"send returned {type(result).__name__}, not Dispatch")
        except Exception as error:  # sinks of third parties may raise anything
            log.warning("sink raised sink=%s", self.sink.name, exc_info=True)
            detail = " ".join(f"{type(error).__name__}: {error}".split())
            return Dispatch(detection.id, detection.label, self.sink.name, "failed", detail)
        return result

    def _hand_over(self, detection: Detection, queued: float) -> object:
        if isinstance(self.sink, Aging):
            return self.sink.send_after(detection, time.monotonic() - queued)
        return self.sink.send(detection)
