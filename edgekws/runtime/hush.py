"""Muting for a while, such as while the device itself speaks."""

import time
from collections.abc import Callable
from typing import Final, Protocol

MAX_SECONDS: Final = 3_600.0
_NEVER_SECONDS: Final = 3_600.0


class Mutable(Protocol):
    """What can be muted."""

    def mute(self) -> None:
        """Hear nothing."""
        ...

    def unmute(self) -> None:
        """Hear again."""
        ...


class Hush:
    """Mutes without end, or until a time that later requests can only put off.

    One who mutes for a while cannot end what another muted without end. The clock is that of the
    room, not of the audio: what the device plays lasts so long whether or not it is heard.
    """

    def __init__(self, ears: Mutable, clock: Callable[[], float] = time.monotonic) -> None:
        self._ears, self._clock = ears, clock
        self._until: float | None = None
        self._endless = False

    def mute(self, seconds: float | None = None) -> None:
        """Mute, for so many seconds or until further notice."""
        if seconds is None:
            self._endless = True
        else:
            self._until = max(self._until or 0.0, self._clock() + seconds)
        self._ears.mute()

    def unmute(self) -> None:
        """Hear again, whoever muted."""
        self._until, self._endless = None, False
        self._ears.unmute()

    @property
    def left_seconds(self) -> float | None:
        """How long it stays muted; None where it is not, or without end."""
        if self._endless or self._until is None:
            return None
        return max(0.0, self._until - self._clock())

    def look(self, now: float) -> float:
        """End what is over; return in how many seconds to look again."""
        if self._until is None:
            return _NEVER_SECONDS
        if now < self._until:
            return self._until - now
        self._until = None
        if not self._endless:
            self._ears.unmute()
        return _NEVER_SECONDS
