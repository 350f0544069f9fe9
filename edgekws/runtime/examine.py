"""Takes one look at the daemon, from any thread: what its parts know of themselves, as a Health."""

from collections.abc import Callable

from edgekws.audio.source import AudioSource, Condition
from edgekws.events import LinkHealth
from edgekws.runtime.desk import Desk
from edgekws.runtime.health import (
    DispatchCounts,
    Health,
    Signs,
    State,
    judge,
    level_dbfs,
    link_complaint,
)
from edgekws.runtime.parts import Parts
from edgekws.runtime.scribe import Scribe
from edgekws.runtime.vitals import Vitals


class Examiner:
    """Asks what stays the same for as long as the daemon runs; the rest is told with each look."""

    def __init__(
        self,
        source: AudioSource,
        condition: Callable[[], Condition],
        vitals: Vitals,
        scribe: Scribe,
    ) -> None:
        self._source, self._condition = source, condition
        self._vitals, self._scribe = vitals, scribe

    def state(self, parts: Parts, *, muted: bool) -> tuple[State, str]:
        """Return the state and its reason: a tenth of a look."""
        return judge(self._signs(self._condition(), parts.table.links(), muted=muted))

    def look(self, parts: Parts, desk: Desk | None, *, muted: bool, reloads: int) -> Health:
        """Return how it is now; `desk` is None before the first sound."""
        condition, vitals = self._condition(), self._vitals
        links = parts.table.links()
        signs = self._signs(condition, links, muted=muted)
        state, reason = judge(signs)
        return Health(
            state=state,
            reason=reason,
            source=self._source.name,
            device=condition.device,
            bundle=parts.bundle,
            uptime_seconds=vitals.age(vitals.started) or 0.0,
            audio_age_seconds=signs.audio_age_seconds,
            step_age_seconds=signs.step_age_seconds,
            level_dbfs=level_dbfs(vitals.block),
            last_detection=vitals.last_detection,
            detection_age_seconds=vitals.age(vitals.detection),
            counters=parts.detector.counters,
            dropped_frames=condition.dropped_frames,
            reopenings=condition.reopenings,
            reloads=reloads,
            unwritten=self._scribe.lost,
            dispatches=DispatchCounts() if desk is None else desk.counts(),
            links=links,
        )

    def _signs(self, condition: Condition, links: tuple[LinkHealth, ...], *, muted: bool) -> Signs:
        vitals = self._vitals
        return Signs(
            live=condition.live,
            muted=muted,
            trouble=condition.trouble,
            complaint=condition.complaint or self._scribe.complaint or link_complaint(links),
            audio_age_seconds=vitals.age(vitals.audio),
            step_age_seconds=vitals.age(vitals.step),
        )

    def busy_seconds(self) -> float:
        """Return for how long the main loop has been at one block, or at opening a device.

        A recording's may wait for the reader of its lines, for ever: it is never busy.
        """
        condition, vitals = self._condition(), self._vitals
        if not condition.live:
            return 0.0
        return max(vitals.age(vitals.busy) or 0.0, vitals.age(condition.working_since) or 0.0)
