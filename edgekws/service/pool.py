"""Detectors of one bundle, as many as there are streams at once, and used again after that."""

import threading
from collections.abc import Callable

from edgekws.runtime.detector import Detector


class Pool:
    """Lends a detector to one stream at a time; each is made when it is first needed."""

    def __init__(self, build: Callable[[], Detector], *, size: int) -> None:
        """Make the first one at once: what is wrong with a bundle shows before anyone asks."""
        self._build, self._size = build, size
        self._lock = threading.Lock()
        self._free = [build()]
        self._made = 1

    def take(self) -> Detector | None:
        """Return a detector that remembers nothing, or None where all are in use."""
        with self._lock:
            if not self._free and self._made < self._size:
                self._free.append(self._build())
                self._made += 1
            detector = self._free.pop() if self._free else None
        if detector is not None:
            detector.reset()
        return detector

    def give_back(self, detector: Detector) -> None:
        """Let the next stream have it."""
        with self._lock:
            self._free.append(detector)
