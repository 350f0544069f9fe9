"""Counts of events that the daemon's own figures do not tell apart."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from edgekws.dispatch.journal import Event
from edgekws.events import Detection, Dispatch


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Detections by label, and dispatches by sink and how they ended."""

    detections: Mapping[str, int]
    dispatches: Mapping[tuple[str, str], int]


class Tellers:
    """Counts every event it is shown, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detections: Counter[str] = Counter()
        self._dispatches: Counter[tuple[str, str]] = Counter()

    def note(self, event: Event, now: float) -> None:
        """Count an event."""
        del now
        with self._lock:
            if isinstance(event, Detection):
                self._detections[event.label] += 1
            elif isinstance(event, Dispatch):
                self._dispatches[event.sink, event.status] += 1

    def counts(self) -> EventCounts:
        """Return what was counted so far."""
        with self._lock:
            return EventCounts(dict(self._detections), dict(self._dispatches))
