"""Raw s16le mono from a descriptor, in blocks, with a bounded wait for each portion."""

import logging
import os
import select
from collections.abc import Iterator
from typing import Final

import numpy as np

from edgekws.audio.wake import WakePipe
from edgekws.errors import SourceError
from edgekws.events import Block, Pcm

_log = logging.getLogger(__name__)
_SAMPLE: Final = np.dtype("<i2")


class RawReader:
    """Iterates over Blocks until the stream ends or a stop; portions of any size make no odds.

    `wait_seconds` is how long to wait for the first portion and for each one after it; None waits
    for ever. It is opened on a descriptor, which belongs to whoever opened that, and again on
    another one behind a close; a stop holds for all of them.
    """

    def __init__(
        self,
        *,
        name: str,
        sample_rate: int,
        block_samples: int,
        wait_seconds: tuple[float, float] | None = None,
    ) -> None:
        self._name = name
        self._sample_rate = sample_rate
        self.block_bytes = block_samples * _SAMPLE.itemsize
        """How much is best read at a time."""
        self._wait_seconds = wait_seconds
        self._descriptor = -1
        self._wake: WakePipe | None = None
        self._poll = select.poll()
        self.stopped = False
        """Whether it was told to end."""

    def open(self, descriptor: int) -> None:
        """Read from a descriptor when iterated."""
        self._descriptor, self._wake = descriptor, WakePipe()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._poll.register(self._wake.fileno(), select.POLLIN)

    def __iter__(self) -> Iterator[Block]:
        assert self._wake is not None, "a source is iterated inside its with statement"
        start = 0
        for data in self._whole_blocks():
            if start == 0 and data.startswith(b"RIFF"):
                _log.warning("%s holds a RIFF header; for files use wav:PATH", self._name)
            pcm = self._samples(data)
            if len(pcm):
                yield Block(pcm, start, self._sample_rate)
            start += len(pcm)

    def stop(self) -> None:
        """End the iteration soon, even while it waits; safe from signal handlers and threads."""
        self.stopped = True
        wake = self._wake
        if wake is not None:
            wake.set()

    def close(self) -> None:
        """Free what the waiting needs, after the iteration; where it is not open, do nothing."""
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()

    def _whole_blocks(self) -> Iterator[bytes]:
        """Yield the bytes of one block after another, and of what is left at the end."""
        held = bytearray()
        begun = False
        while not self.stopped:
            portion = self._read(self.block_bytes - len(held), begun=begun)
            if portion is None:
                return
            begun = True
            if len(portion) == self.block_bytes:  # as most are, where there is no haste
                yield portion
                continue
            held += portion
            if len(held) == self.block_bytes or not portion:
                yield bytes(held)
                held.clear()
            if not portion:
                return

    def _read(self, limit: int, *, begun: bool) -> bytes | None:
        """Wait for up to `limit` bytes; none of them at the end, None after a stop."""
        seconds = None if self._wait_seconds is None else self._wait_seconds[begun]
        while True:
            ready = self._poll.poll(None if seconds is None else seconds * 1000)
            if self.stopped:  # the wake pipe stays readable: no poll outlasts it
                return None
            if not ready:
                raise SourceError(
                    f"{self._name}: no audio for {seconds:g} s; look at what feeds it"
                )
            try:
                return os.read(self._descriptor, limit)
            except BlockingIOError:  # another reader of a shared pipe was faster
                continue
            except OSError as error:
                raise SourceError(
                    f"{self._name} cannot be read ({error.strerror}); start what feeds it again"
                ) from error

    def _samples(self, data: bytes) -> Pcm:
        """Return whole samples, (n,) int16; an odd byte can only stand at the stream's end."""
        if len(data) % _SAMPLE.itemsize:
            _log.warning("%s ended in the middle of a sample; dropped its one byte", self._name)
            data = data[:-1]
        return np.frombuffer(data, _SAMPLE).astype(np.int16, copy=False)
