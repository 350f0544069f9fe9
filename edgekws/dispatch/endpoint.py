"""When somebody has finished speaking: the level against that of the room, no model."""

from typing import Final

import numpy as np

from edgekws.audio.level import levels_dbfs
from edgekws.events import Pcm

FRAME_SECONDS: Final = 0.02
ABOVE_ROOM_DB: Final = 10.0  # speech stands this far above the room
ROOM_PERCENT: Final = 10.0  # the quietest frames before a command are the room
LOWEST_DBFS: Final = -60.0  # a room is not quieter; digital silence would make a whisper of noise
IGNORED_SECONDS: Final = 0.3  # the rest of the wake word
SPOKEN_SECONDS: Final = 0.2  # less is a click, not speech


class Endpoint:
    """Takes what follows a wake word, and says when there was speech and then silence."""

    def __init__(
        self, background: Pcm, *, sample_rate: int, silence_seconds: float, start_seconds: float
    ) -> None:
        """`background` is audio before; nobody who says nothing for `start_seconds` will speak."""
        self._frame = round(FRAME_SECONDS * sample_rate)
        levels = levels_dbfs(background, self._frame)
        room = float(np.percentile(levels, ROOM_PERCENT)) if len(levels) else LOWEST_DBFS
        self._threshold = max(room, LOWEST_DBFS) + ABOVE_ROOM_DB
        self._silence = round(silence_seconds / FRAME_SECONDS)
        self._start = round(start_seconds / FRAME_SECONDS)
        self._held: Pcm = np.zeros(0, np.int16)
        self._frames = self._spoken = self._quiet = 0

    def push(self, pcm: Pcm) -> bool:
        """Take the next samples; return whether it is over."""
        held = np.concatenate((self._held, pcm))
        self._held = held[len(held) - len(held) % self._frame :]
        over = False
        for level in levels_dbfs(held, self._frame):
            over |= self._step(loud=bool(level > self._threshold))
        return over

    def _step(self, *, loud: bool) -> bool:
        self._frames += 1
        if self._frames * FRAME_SECONDS <= IGNORED_SECONDS:
            return False
        self._spoken += loud
        self._quiet = 0 if loud else self._quiet + 1
        if self._spoken * FRAME_SECONDS < SPOKEN_SECONDS:
            return self._frames >= self._start
        return self._quiet >= self._silence
