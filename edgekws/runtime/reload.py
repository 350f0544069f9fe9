"""Builds new parts beside the old ones while the audio goes on."""

import logging
import threading
from typing import Final

from edgekws.errors import EdgekwsError
from edgekws.runtime.parts import Parts, Rebuild

log = logging.getLogger(__name__)
_THREAD: Final = "reload"


class Reloader:
    """One build at a time, on a thread of its own; the main loop takes what came of it.

    A build that fails leaves the old parts and says why in one line. A request during a build is
    for the build that follows it, for the files may have changed since. So may they where a build
    was not taken yet: it is let go of, and the one that follows takes its place.
    """

    def __init__(self, rebuild: Rebuild, first: Parts) -> None:
        """Build beside `first`, and then beside the parts that were taken last."""
        self._rebuild, self._in_force = rebuild, first
        self._lock = threading.Lock()
        self._again = False
        self._thread: threading.Thread | None = None
        self._built: Parts | None = None
        self.failure = ""
        """Why the last build failed, empty where it did not."""
        self.count = 0
        """How many builds were taken."""

    def request(self) -> None:
        """Begin to build, unless a build is under way: then another one follows."""
        with self._lock:
            self._again = self._thread is not None
            if self._thread is None:
                untaken, self._built = self._built, None
                self._thread = threading.Thread(
                    target=self._run, args=(untaken,), name=_THREAD, daemon=True
                )
                self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a build is under way."""
        return self._thread is not None

    def take(self) -> Parts | None:
        """Return parts that were built since the last call."""
        if self._built is None:  # without the lock: as every block but one finds it
            return None
        with self._lock:
            built, self._built = self._built, None
            if built is not None:
                self._in_force = built
                self.count += 1
        return built

    def close(self) -> None:
        """Let go of parts that nobody took; a build under way is left to end with the process."""
        with self._lock:
            self._let_go(self._built)
            self._built = None

    def _run(self, untaken: Parts | None) -> None:
        while True:
            self._let_go(untaken)  # before the build: it may want the same pin or line
            untaken = self._build()
            with self._lock:
                if not self._again:
                    self._built, self._thread = untaken, None
                    return
                self._again = False

    def _let_go(self, built: Parts | None) -> None:
        kept = self._in_force.table.sinks
        for sink in () if built is None else built.table.sinks:
            if not any(sink is other for other in kept):
                sink.close()

    def _build(self) -> Parts | None:
        try:
            built = self._rebuild(self._in_force)
        except EdgekwsError as error:
            self.failure = " ".join(str(error).split())
            log.warning("reload failed, all stays as it was: %s", self.failure)
            return None
        self.failure = ""
        return built
