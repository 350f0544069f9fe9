"""Writes the lines on a thread of its own: a slow disk or reader costs lines, never ears."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from edgekws.dispatch.journal import Event
from edgekws.runtime.outlets import Outlet

QUEUE_SIZE: Final = 1024  # lines: an hour of somebody who gives a command every few seconds
STUCK_SECONDS: Final = 2.0  # in one write: then it is said that nobody reads
_LOOK_SECONDS: Final = 0.1


class Scribe:
    """Hands events to an outlet in order; what finds no room, or fails, is counted as lost.

    With `patient` a full queue makes the writer wait instead, as suits a recording: it has time.
    `on_gone` is called once the outlet's reader is gone.
    """

    def __init__(
        self,
        outlet: Outlet,
        *,
        on_gone: Callable[[], None],
        patient: bool = False,
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._outlet, self._on_gone, self._patient = outlet, on_gone, patient
        self._queue: deque[Event] = deque()
        self._queue_size = queue_size
        self._changed = threading.Condition()
        self._ending = False
        self._hurried = False
        self._since: float | None = None
        self._fault = ""
        self.lost = 0
        """Lines that were not written."""
        self.last_fault = ""
        """Why the last one was not, empty where none is lost."""
        self._thread = threading.Thread(target=self._run, name="scribe", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, event: Event) -> None:
        """Queue an event; from any thread."""
        with self._changed:
            while self._patient and not self._hurried and len(self._queue) >= self._queue_size:
                self._changed.wait(_LOOK_SECONDS)  # a signal handler hurries it without the lock
            if len(self._queue) < self._queue_size:
                self._queue.append(event)
                self._changed.notify_all()
                return
        self._lose("nobody reads them")

    def hurry(self) -> None:
        """Let nobody wait for room any more; safe from a signal handler."""
        self._hurried = True

    @property
    def complaint(self) -> str:
        """What is wrong now, empty where all is well."""
        since = self._since
        if since is not None and time.monotonic() - since > STUCK_SECONDS:
            return "stdout takes no lines: nobody reads them"
        return self._fault

    def close(self, timeout_seconds: float) -> bool:
        """Write what is queued, within the time; return whether that came to its end."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (event := self._next()) is not None:
            self._since = time.monotonic()
            try:
                self._outlet.write(event)
            except OSError as error:
                self._lose(error.strerror or str(error))
            else:
                self._fault = ""
            self._since = None
            if self._outlet.closed:
                self._on_gone()

    def _next(self) -> Event | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ending)
            event = self._queue.popleft() if self._queue else None
            self._changed.notify_all()
            return event

    def _lose(self, reason: str) -> None:
        self.lost += 1
        self.last_fault = reason
        self._fault = f"stdout takes no lines: {reason}"
