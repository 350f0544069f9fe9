"""What is made of each look at the daemon's health: log, event, systemd's status and its ping."""

import logging
import time
from collections.abc import Callable
from typing import Final

from edgekws.events import HealthChange
from edgekws.runtime.health import Health, State, words
from edgekws.runtime.notify import Notifier
from edgekws.runtime.vitals import Clock

log = logging.getLogger(__name__)
STATUS_SECONDS: Final = 10.0  # how old the words may be while the state stays as it is
_PINGS_PER_WATCHDOG: Final = 4


class Lookout:
    """Tells of changes; pings only when audio came AND the model made a step since the last ping.

    A daemon whose ears or model stand still is thus ended by systemd, whatever else runs in it.
    Zeros are audio here: a microphone with a switch gives them. The ears open it again and again,
    all that a new process could do, and until there is sound the daemon says that it is deaf.
    """

    def __init__(
        self,
        notifier: Notifier,
        tell: Callable[[HealthChange], None],
        clock: Clock = time.monotonic,
    ) -> None:
        """Hand changes of the state to `tell`, the first state among them."""
        self._notifier, self._tell, self._clock = notifier, tell, clock
        self._state = self._reason = ""
        self._told: float | None = None
        self._pinged: float | None = None
        self._seen = (0, 0)

    def is_due(self, state: State, reason: str) -> bool:
        """Return whether a look is to be taken: all is not as it was, or long enough ago."""
        now = self._clock()
        return (
            (state, reason) != (self._state, self._reason)
            or self._status_due(now)
            or self._ping_due(now)
        )

    def look(self, health: Health) -> None:
        """Take a new health and tell whom it concerns."""
        changed = (health.state, health.reason) != (self._state, self._reason)
        if health.state != self._state:
            self._log(health)
            self._tell(HealthChange(health.state, health.reason))
        self._state, self._reason = health.state, health.reason
        now = self._clock()
        if changed or self._status_due(now):
            self._told = now
            self._notifier.status(words(health))
        self._ping(health, now)

    def _status_due(self, now: float) -> bool:
        return self._told is None or now - self._told >= STATUS_SECONDS

    def _ping_due(self, now: float) -> bool:
        limit = self._notifier.watchdog_seconds
        if limit is None:
            return False
        return self._pinged is None or now - self._pinged >= limit / _PINGS_PER_WATCHDOG

    def _log(self, health: Health) -> None:
        if not self._state and health.state == "starting":
            return  # as every daemon does
        bad = health.state in ("deaf", "degraded")
        reason = f" reason={health.reason}" if health.reason else ""
        log.log(logging.WARNING if bad else logging.INFO, "health %s%s", health.state, reason)

    def _ping(self, health: Health, now: float) -> None:
        if not self._ping_due(now):
            return
        samples, steps = health.counters.samples, health.counters.steps
        if samples > self._seen[0] and steps > self._seen[1]:
            self._seen, self._pinged = (samples, steps), now
            self._notifier.ping()
