"""The main loop of `edgekws listen`: from a source to its sinks until it ends or is told to."""

import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Final

from edgekws.audio.source import AudioSource
from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.dispatcher import Dispatcher
from edgekws.dispatch.journal import Journal
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from edgekws.runtime.detector import Counters, Detector

log = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 60.0  # what sinks have for their queues when the audio came to its end
CLOSE_SECONDS: Final = 1.5  # what they have when told to stop: the process is gone within 2 s
_POLL_SECONDS: Final = 0.01
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Daemon:
    """Hears one source to its end, a signal, a fault, or until nobody reads the journal."""

    def __init__(
        self, source: AudioSource, detector: Detector, table: CommandTable, journal: Journal
    ) -> None:
        self._source, self._detector, self._table = source, detector, table
        self._journal = journal
        self._stopped = False
        self._fault: OSError | None = None
        self._submitted = 0

    def run(self) -> Counters:
        """Listen, then let the sinks finish, and return what was seen.

        Raises:
            SourceError: the source did not open, or died.
            SinkError: a sink's thread died, or stdout takes no more lines.
            BrokenPipeError: the reader of stdout went away.
        """
        with self._signals():
            dispatcher = Dispatcher(self._table, self._write)
            try:
                with self._source:
                    log.info("listening source=%s", self._source.name)
                    self._hear(dispatcher)
                self._drain(dispatcher)
            finally:
                dispatcher.close(CLOSE_SECONDS)
        counters = self._detector.counters
        log.info("ended %s", _listed(asdict(counters) | dict(dispatcher.counts())))
        self._complain(dispatcher)
        return counters

    def _hear(self, dispatcher: Dispatcher) -> None:
        for block in self._source:
            for detection in self._detector.push(block):
                self._write(detection)
                self._submitted += len(self._table.sinks_for(detection.label))
                dispatcher.submit(detection)
            if self._stopped or not dispatcher.alive:
                return

    def _drain(self, dispatcher: Dispatcher) -> None:
        """Wait for every result, as long as there is hope and time for one."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while sum(dispatcher.counts().values()) < self._submitted:
            if self._stopped or not dispatcher.alive or time.monotonic() > deadline:
                return
            time.sleep(_POLL_SECONDS)

    def _write(self, event: Detection | Dispatch) -> None:
        """Write a line, from any thread; what keeps it from being written ends the listening."""
        unwritten = True
        try:
            self._journal.write(event)
            unwritten = self._journal.closed
        except OSError as error:
            self._fault = error
        finally:
            if unwritten:
                self._stop()

    def _complain(self, dispatcher: Dispatcher) -> None:
        """Raise what ended the listening, if it was a fault."""
        if self._journal.closed:
            raise BrokenPipeError("stdout has no reader any more")
        if self._fault is not None:
            raise SinkError(f"stdout takes no more lines: {self._fault}") from self._fault
        if not dispatcher.alive:
            raise SinkError("a sink's thread died; the lines above say why")

    def _stop(self) -> None:
        self._stopped = True
        self._source.stop()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Take SIGTERM and Ctrl-C as the wish to end in order."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._stop()

        before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listed(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in counts.items())
