"""A live source that comes back: what dies, or gives nothing that can be sound, is opened again."""

import logging
import select
import time
from collections.abc import Callable, Iterator
from typing import Final, Self

import msgspec

from edgekws.audio.pace import Pace
from edgekws.audio.source import Condition, LiveSource
from edgekws.audio.vigil import LIMIT_SECONDS, Vigil
from edgekws.audio.wake import WakePipe
from edgekws.errors import SourceError
from edgekws.events import Block

_log = logging.getLogger(__name__)
LOSING_SECONDS: Final = 10.0  # so long a loss of audio is complained of


class Pauses(msgspec.Struct, frozen=True):
    """How long to wait before another try: the first pause and the longest one, in seconds.

    `opening` is after a source that died or does not open; the longest pause and what opening takes
    (2.0 s to the first block of PulseAudio's null sink, measured) stay below the 3 s in which a
    device that returns is to be heard. `unchanged` is how long a source that opens may give nothing
    but zeros, or another one value: opening it again costs audio, and helps only where the sound
    system has lost the device, so every such try doubles the time to the next.
    """

    opening: tuple[float, float] = (0.25, 0.5)
    unchanged: tuple[float, float] = (float(LIMIT_SECONDS), 32.0)


class Ears:
    """Iterates over the Blocks of a source that may be entered again; only a stop ends it.

    Behind a loss the sample index goes on by the time that was lost: a gap, at which all that
    hears starts anew. A source that does not open is waited for, and `condition` says why; without
    `wait` it is an error the first time. The clock decides nothing but when to try again.
    """

    def __init__(
        self,
        source: LiveSource,
        *,
        wait: bool = False,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._waits = source, wait
        self._pauses = pauses or Pauses()
        self._clock = clock
        self._vigil, self._pace = Vigil(), Pace(clock)
        self._wake = WakePipe()
        self._opened = self._stopped = self._fresh = False
        self._loss = ""
        self._working: float | None = None
        self._reopenings = self._dropped = self._seen = 0
        self._lost: float | None = None
        self._pause = self._pauses.opening[0]
        self._unchanged_until = self._unchanged_pause = self._pauses.unchanged[0]
        self._end: int | None = None
        self._shift = 0  # from the source's sample index to ours
        self._heard = clock()
        self._ailment = ""
        self.on_change: Callable[[], None] = _nothing
        """Called where trouble or a complaint about the sound begins or ends, between two blocks
        or in place of one; must return at once."""

    @property
    def name(self) -> str:
        """What a person calls the source."""
        return self._source.name

    def condition(self) -> Condition:
        """Return how it is; from any thread."""
        return Condition(
            live=True,
            device=self._source.device,
            trouble=self._trouble,
            complaint=self._vigil.complaint or self._losing() or self._pace.complaint,
            dropped_frames=self._dropped + self._dropped_now(),
            reopenings=self._reopenings,
            working_since=self._working,
        )

    def __enter__(self) -> Self:
        try:
            self._open()
        except SourceError as error:
            if not self._waits:
                raise
            self._lose(str(error))
        return self

    def __exit__(self, *fault: object) -> None:
        self._close()
        self._wake.close()

    def __iter__(self) -> Iterator[Block]:
        while not self._stopped:
            if not self._opened:
                self._come_back()
                continue
            try:
                yield from self._hear()
            except SourceError as error:
                self._vigil.reset()
                self._lose(str(error))
            self._close()

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        self._stopped = True
        self._source.stop()
        self._wake.set()

    def _hear(self) -> Iterator[Block]:
        """Yield blocks until a stop, or until it is worth to open the source again."""
        for block in self._source:
            self._vigil.push(block)
            self._pace.push(block)
            self._watch_drops()
            unchanged = self._vigil.unchanged_seconds
            if self._loss and not unchanged:
                _log.info("source back source=%s", self.name)
                self._loss, self._pause = "", self._pauses.opening[0]
            self._tell_change()
            yield self._placed(block)
            if unchanged >= self._unchanged_until:
                self._unchanged_pause = min(2 * self._unchanged_pause, self._pauses.unchanged[1])
                self._unchanged_until = unchanged + self._unchanged_pause
                self._lose(self._vigil.trouble)
                return
            if not unchanged:
                self._unchanged_until = self._unchanged_pause

    @property
    def _trouble(self) -> str:
        return self._vigil.trouble or self._loss

    def _tell_change(self) -> None:
        ailment = self._trouble or self._vigil.complaint
        if ailment != self._ailment:
            self._ailment = ailment
            self.on_change()

    def _watch_drops(self) -> None:
        dropped = self._source.dropped_frames
        if dropped > self._seen:
            self._lost = self._clock()
        self._seen = dropped

    def _losing(self) -> str:
        lost = self._lost
        if lost is None or self._clock() - lost > LOSING_SECONDS:
            return ""
        return "audio is lost: the machine, or what brings the audio, is too slow"

    def _placed(self, block: Block) -> Block:
        """Return the block with its index in the stream as a whole."""
        now = self._clock()
        if self._fresh:
            lost = round((now - self._heard) * block.sample_rate) - len(block.pcm)
            before = 0 if self._end is None else self._end + max(1, lost)
            self._shift, self._fresh = before - block.start, False
        self._heard, self._end = now, block.end + self._shift
        return Block(block.pcm, block.start + self._shift, block.sample_rate)

    def _lose(self, reason: str) -> None:
        if reason != self._loss:
            _log.warning("source lost: %s", reason)
        self._loss = reason
        self._tell_change()

    def _come_back(self) -> None:
        """Open the source again, however often it takes.

        The pauses grow until there is sound: a program that starts may well end at once.
        """
        while not self._stopped and not self._opened:
            self._wait(self._pause)
            self._pause = min(2 * self._pause, self._pauses.opening[1])
            try:
                self._open()
            except SourceError as error:
                self._lose(str(error))

    def _wait(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._wake.fileno(), select.POLLIN)
        poll.poll(seconds * 1000)

    def _open(self) -> None:
        self._working = self._clock()
        try:
            self._source.__enter__()
        finally:
            self._working = None
        self._opened = self._fresh = True
        self._pace.reset()

    def _close(self) -> None:
        if not self._opened:
            return
        self._dropped += self._dropped_now()
        self._opened = False
        self._reopenings += not self._stopped
        self._working = self._clock()
        try:
            self._source.__exit__(None, None, None)
        finally:
            self._working = None

    def _dropped_now(self) -> int:
        return self._source.dropped_frames if self._opened else 0


def _nothing() -> None:
    """Nobody is to be told."""
