"""Tells of changes of health, as an event among the others."""

from collections.abc import Callable
from typing import Final

from edgekws.events import HealthChange
from edgekws.runtime.health import Health

LOOK_SECONDS: Final = 1.0


class HealthNews:
    """Looks once a second, and tells when the state is another than before."""

    def __init__(self, health: Callable[[], Health], tell: Callable[[HealthChange], None]) -> None:
        self._health, self._tell = health, tell
        self._state = ""
        self._due = 0.0

    def look(self, now: float) -> float:
        """Look where it is due; return in how many seconds to look again."""
        if now >= self._due:
            self._due = now + LOOK_SECONDS
            health = self._health()
            if health.state != self._state:
                self._state = health.state
                self._tell(HealthChange(health.state, health.reason))
        return self._due - now
