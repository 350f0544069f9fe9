"""Counts of events that the daemon's own figures do not tell apart, and the last detections."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

import msgspec

from edgekws.dispatch.journal import Event
from edgekws.events import Decision, Detection, Dispatch, NearMiss

LATEST: Final = 8


class EventCounts(msgspec.Struct, frozen=True):
    """Detections and near misses by label, decisions by verdict, dispatches by sink and status."""

    detections: Mapping[str, int]
    near_misses: Mapping[str, int]
    decisions: Mapping[str, int]
    dispatches: Mapping[tuple[str, str], int]


class Tellers:
    """Counts every event it is shown, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: deque[Detection] = deque(maxlen=LATEST)
        self._detections: Counter[str] = Counter()
        self._near_misses: Counter[str] = Counter()
        self._decisions: Counter[str] = Counter()
        self._dispatches: Counter[tuple[str, str]] = Counter()

    def note(self, event: Event, now: float) -> None:
        """Count an event."""
        del now
        with self._lock:
            if isinstance(event, Detection):
                self._detections[event.label] += 1
                self._latest.append(event)
            elif isinstance(event, NearMiss):
                self._near_misses[event.label] += 1
            elif isinstance(event, Decision):
                self._decisions[event.verdict] += 1
            elif isinstance(event, Dispatch):
                self._dispatches[event.sink, event.status] += 1

    def counts(self) -> EventCounts:
        """Return what was counted so far."""
        with self._lock:
            return EventCounts(
                dict(self._detections),
                dict(self._near_misses),
                dict(self._decisions),
                dict(self._dispatches),
            )

    def latest(self) -> tuple[Detection, ...]:
        """Return the last detections, oldest first."""
        with self._lock:
            return tuple(self._latest)
