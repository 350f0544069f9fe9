"""The main loop of `edgekws listen`: from a source to its sinks until it ends or is told to."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Final

import numpy as np
from msgspec.structs import asdict

from edgekws.audio.recent import Recent
from edgekws.audio.source import AudioSource, Condition
from edgekws.dispatch.journal import Event, is_for_stdout
from edgekws.errors import EdgekwsError, SinkError, UsageError
from edgekws.events import Block, Decision
from edgekws.runtime.deaths import Deaths
from edgekws.runtime.decide import Ruling
from edgekws.runtime.desk import Desk
from edgekws.runtime.detector import Counters
from edgekws.runtime.examine import Examiner
from edgekws.runtime.health import Health
from edgekws.runtime.lookout import Lookout
from edgekws.runtime.notify import Notifier
from edgekws.runtime.onlookers import Onlookers
from edgekws.runtime.outlets import Outlet
from edgekws.runtime.parts import Parts, Rebuild, succeed
from edgekws.runtime.reload import Reloader
from edgekws.runtime.scribe import Scribe
from edgekws.runtime.signals import Terminal, signals
from edgekws.runtime.vitals import Vitals
from edgekws.runtime.voice import without_voice
from edgekws.runtime.watch import Watch, die

log = logging.getLogger(__name__)

DRAIN_SECONDS: Final = 60.0  # what sinks have for their queues when the audio came to its end
CLOSE_SECONDS: Final = 1.5  # what they have when told to stop: the process is gone within 2 s
LINES_SECONDS: Final = 0.3  # what the last lines have then
_POLL_SECONDS: Final = 0.01


def unchanging(old: Parts) -> Parts:
    """Refuse to rebuild: there is nothing to read again."""
    del old
    raise UsageError("there is no configuration to reload")


class Daemon:
    """Hears one source to its end, a signal, a fault, or until nobody reads the journal.

    `health`, `mute`, `unmute`, `reload` and `stop` may be called from any thread while it runs.
    """

    def __init__(
        self,
        source: AudioSource,
        parts: Parts,
        journal: Outlet,
        *,
        rebuild: Rebuild = unchanging,
        condition: Callable[[], Condition] = Condition,
        notifier: Notifier | None = None,
        onlookers: Onlookers | None = None,
    ) -> None:
        """Put the loop together; `condition` tells of the source, and is asked from any thread."""
        self._source, self._parts, self._journal = source, parts, journal
        self._onlookers = onlookers or Onlookers()
        self._notifier = notifier or Notifier("")
        self._reloader = Reloader(rebuild, parts)
        self._lookout = Lookout(self._notifier, self._onlookers.tell)
        self._vitals, self._recent = Vitals(), Recent()
        self._deaths, self._terminal = Deaths(self.stop), Terminal()
        self._scribe = Scribe(journal, on_gone=self.stop, patient=not condition().live)
        self._examiner = Examiner(source, condition, self._vitals, self._scribe)
        self._watch = Watch(
            self._look,
            busy_seconds=self._examiner.busy_seconds,
            on_end=self.stop,
            on_hangup=self._hang_up,
        )
        self._desk: Desk | None = None
        self._muted = self._stopped = self._reloading = False

    def run(self, beside: Sequence[AbstractContextManager[object]] = ()) -> Counters:
        """Listen, then let the sinks finish, and return what was seen.

        What runs `beside` is entered first and left last.

        Raises:
            SourceError: the source did not open, or died.
            SinkError: stdout takes no more lines.
            EdgekwsError: a thread died.
            BrokenPipeError: the reader of stdout went away.
        """
        with ExitStack() as closing:
            closing.enter_context(self._deaths)
            for companion in beside:
                closing.enter_context(companion)
            closing.callback(self._watch.stop)
            closing.callback(self._notifier.stopping)
            closing.enter_context(signals(self.stop, wake_fd=self._watch.wake_fd))
            self._scribe.start()
            closing.callback(self._end_lines)
            self._desk = desk = Desk(self._parts.table, self._tell)
            closing.callback(desk.close, CLOSE_SECONDS)
            closing.callback(self._reloader.close)
            with self._source:
                self._begin()
                self._hear(desk)
            self._drain(desk)
        counters = self._parts.detector.counters
        log.info("ended %s", _listed(asdict(counters) | asdict(desk.counts())))
        self._complain(desk)
        return counters

    def health(self) -> Health:
        """Return how it is now."""
        return self._examiner.look(
            self._parts, self._desk, muted=self._muted, reloads=self._reloader.count
        )

    def look_soon(self) -> None:
        """Tell of the health now, rather than within a second."""
        self._watch.poke()

    def mute(self) -> None:
        """From the next block on let the model hear silence, and act on nothing."""
        self._muted = True
        self._watch.poke()

    def unmute(self) -> None:
        """Hear again."""
        self._muted = False
        self._watch.poke()

    def reload(self) -> None:
        """Begin to build new parts; they take over at a block border, or all stays as it was."""
        self._reloading = True
        self._notifier.reloading()
        self._reloader.request()

    @property
    def reload_failure(self) -> str | None:
        """Why the last reload failed, "" where it did not, None while one is under way."""
        return None if self._reloader.busy else self._reloader.failure

    def stop(self) -> None:
        """End soon and in order; safe from a signal handler too."""
        self._stopped = True
        self._scribe.hurry()
        self._source.stop()

    def _begin(self) -> None:
        log.info("listening source=%s", self._source.name)
        self._watch.start()
        self._notifier.ready()
        self._onlookers.begin(self._parts.detector)

    def _hear(self, desk: Desk) -> None:
        for block in self._source:
            self._vitals.begin()
            self._take_over(desk)
            self._push(silenced(block) if self._muted else block, desk)
            self._vitals.finish(block, steps=self._parts.detector.steps)
            if self._stopped:  # as it is once any thread died, too
                return

    def _push(self, block: Block, desk: Desk) -> None:
        desk.hear(block)
        detections = self._parts.detector.push(block)
        self._recent.push(block)
        heard = () if self._muted else detections
        for detection in heard:
            self._tell(detection)
            self._vitals.note(detection)
        unsaid = without_voice(self._parts.voice, heard, self._recent)
        said = () if unsaid else heard
        rulings = self._parts.decider.judge(said, self._parts.detector.position)
        for ruling in (*unsaid, *rulings):
            self._follow(ruling, desk)
        for miss in self._onlookers.near_misses(detections, self._recent):
            self._tell(miss)

    def _follow(self, ruling: Ruling, desk: Desk) -> None:
        """Tell what is decided about a detection, and hand it to its sinks where it is acted on."""
        detection, lag = ruling.detection, self._vitals.age(self._vitals.busy)
        sinks = self._parts.table.sinks_for(detection.label) if ruling.verdict == "act" else ()
        self._tell(
            Decision(
                detection.id,
                detection.label,
                ruling.verdict,
                ruling.reason,
                tuple(sink.name for sink in sinks),
                lag or 0.0,
            )
        )
        if sinks:
            desk.submit(detection)

    def _tell(self, event: Event) -> None:
        """Tell an event, from any thread."""
        self._onlookers.tell(event)
        if is_for_stdout(event):
            self._scribe.write(event)

    def _take_over(self, desk: Desk) -> None:
        """Put what a reload has built in the place of the old parts."""
        new = self._reloader.take()
        if new is None:
            return
        succeed(new.detector, self._parts.detector, self._recent)
        new.decider.succeed(self._parts.decider)
        self._onlookers.follow(new.detector)
        desk.replace(new.table)
        self._parts = new
        self._watch.poke()
        log.info("reloaded bundle=%s", new.bundle)

    def _drain(self, desk: Desk) -> None:
        """Wait for every result, as long as there is hope and time for one."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while not desk.finished:
            if self._stopped or not desk.alive or time.monotonic() > deadline:
                return
            time.sleep(_POLL_SECONDS)

    def _end_lines(self) -> None:
        """Write the last lines; where nobody reads them, no later flush could end either."""
        if not self._scribe.close(DRAIN_SECONDS if not self._stopped else LINES_SECONDS):
            die("stdout takes no lines: nobody reads them")

    def _complain(self, desk: Desk) -> None:
        """Raise what ended the listening, if it was a fault."""
        if self._journal.closed:
            raise BrokenPipeError("stdout has no reader any more")
        if self._deaths.first:
            raise EdgekwsError(self._deaths.first)
        if not desk.alive:
            raise EdgekwsError("a sink's thread died")
        if self._scribe.lost:
            raise SinkError(
                f"{self._scribe.lost} lines are lost, stdout did not take them:"
                f" {self._scribe.last_fault}"
            )

    def _look(self) -> None:
        """Look at the main loop, on the thread of the watch."""
        if self._lookout.is_due(*self._examiner.state(self._parts, muted=self._muted)):
            self._lookout.look(self.health())
        if self._reloading and not self._reloader.busy:
            self._reloading = False
            self._notifier.ready()

    def _hang_up(self) -> None:
        """Reload, but where a person closed the terminal: nobody is to be heard behind that."""
        if self._terminal.gone:
            self.stop()
        else:
            self.reload()


def silenced(block: Block) -> Block:
    """Return silence of the same length and place."""
    return Block(np.zeros(np.shape(block.pcm)[:1], np.int16), block.start, block.sample_rate)


def _listed(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in counts.items())
