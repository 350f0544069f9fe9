"""Keeps the sound of near misses, where a person asked for that."""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import numpy as np

from edgekws.events import Block, NearMiss
from edgekws.runtime.capture_store import Capture, CaptureStore, capture_id

log = logging.getLogger(__name__)

BEFORE_SECONDS: Final = 1.25  # of sound before the score rose, where most of the word is
WAITING: Final = 8  # recordings that wait for the disk
_OVERHEAD_BYTES: Final = 1_024
_LOOK_SECONDS: Final = 1.0
_TIDY_SECONDS: Final = 600.0


class Captor:
    """Takes recordings from the main loop; the thread that calls `work` encrypts and writes them.

    One that finds no room, in memory or on disk, is counted and said.
    """

    def __init__(
        self,
        store: CaptureStore,
        *,
        max_bytes: int,
        max_days: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._max_bytes, self._max_days = store, max_bytes, max_days
        self._clock = clock
        self._waiting: deque[tuple[NearMiss, Block]] = deque()
        self.lost = 0
        """Recordings that were not kept."""
        self._failed = False
        self._due = 0.0

    def take(self, miss: NearMiss, sound: Block) -> None:
        """Keep the sound around a near miss; never waits."""
        if len(self._waiting) >= WAITING:
            self.lost += 1
            return
        begin = max(0, miss.sample - round(BEFORE_SECONDS * sound.sample_rate) - sound.start)
        self._waiting.append((miss, Block(sound.pcm[begin:], sound.start, sound.sample_rate)))

    def work(self, now: float) -> float:
        """Write what was taken, remove what is old; return in how many seconds to look again."""
        if now >= self._due:
            self._due = now + _TIDY_SECONDS
            self._tidy()
        while self._waiting:
            self._keep(*self._waiting.popleft())
        return _LOOK_SECONDS

    def _tidy(self) -> None:
        with suppress(OSError):  # said as soon as there is something to write
            self._fits(0)

    def _keep(self, miss: NearMiss, sound: Block) -> None:
        try:
            kept = self._fits(sound.pcm.nbytes + _OVERHEAD_BYTES) and self._put(miss, sound)
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if not kept:
            self._lose("the quota is used up by labelled recordings")

    def _fits(self, size: int) -> bool:
        return self._store.make_room(
            size,
            max_bytes=self._max_bytes,
            max_days=self._max_days,
            now=self._clock(),
        )

    def _put(self, miss: NearMiss, sound: Block) -> bool:
        capture = Capture(
            id=capture_id(miss.id, self._clock()),
            label=miss.label,
            peak=miss.peak,
            on=miss.on,
            sample=miss.sample,
            sample_rate=sound.sample_rate,
        )
        self._store.put(capture, np.asarray(sound.pcm, np.int16))
        self._failed = False
        return True

    def _lose(self, reason: str) -> None:
        self.lost += 1
        if not self._failed:
            log.warning("captures: %s: recordings are not kept (said once)", reason)
        self._failed = True
