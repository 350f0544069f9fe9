"""One record per detection: when its audio came, when it was decided, given on and done."""

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from edgekws.dispatch.journal import Event
from edgekws.events import Decision, Detection, Dispatch, Result, SinkResult

UNFINISHED: Final = 256  # detections whose sinks still work; more than all queues hold


class _Open(msgspec.Struct):
    """A detection, and what is known of it so far."""

    detection: Detection
    detected_at: float
    decision: Decision | None = None
    decided_at: float = 0.0
    sinks: list[SinkResult] = msgspec.field(default_factory=list)


class Records:
    """Puts events together, from any thread; moments count from `began`, on the same clock.

    A command that waits to be confirmed has a record for that, and one more for what came of it.
    """

    def __init__(self, began: float, utc: Callable[[], str]) -> None:
        self._began, self._utc = began, utc
        self._lock = threading.Lock()
        self._open: dict[int, _Open] = {}

    def note(self, event: Event, now: float) -> Result | None:
        """Take an event; return the record that it completes."""
        moment = now - self._began
        with self._lock:
            if isinstance(event, Detection):
                self._begin(event, moment)
                return None
            if not isinstance(event, Decision | Dispatch) or event.id not in self._open:
                return None
            known = self._open[event.id]
            if isinstance(event, Decision):
                known.decision, known.decided_at = event, moment
            else:
                known.sinks.append(_sink_result(event, moment))
            return self._completed(known, moment)

    def _begin(self, detection: Detection, moment: float) -> None:
        if len(self._open) >= UNFINISHED:
            del self._open[next(iter(self._open))]
        self._open[detection.id] = _Open(detection, moment)

    def _completed(self, known: _Open, moment: float) -> Result | None:
        decision, detection = known.decision, known.detection
        if decision is None or len(known.sinks) < len(decision.sinks):
            return None
        if decision.verdict != "wait":
            del self._open[detection.id]
        return Result(
            id=detection.id,
            label=detection.label,
            score=detection.score,
            sample=detection.sample,
            time_seconds=detection.time_seconds,
            verdict=decision.verdict,
            reason=decision.reason,
            audio_at=known.decided_at - decision.lag_seconds,
            detected_at=known.detected_at,
            queued_at=known.decided_at if decision.sinks else None,
            ended_at=moment,
            sinks=tuple(known.sinks),
            utc=self._utc(),
        )


def _sink_result(event: Dispatch, moment: float) -> SinkResult:
    return SinkResult(event.sink, event.status, event.exit_code, event.attempts, moment)
