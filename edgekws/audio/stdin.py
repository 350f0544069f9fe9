"""Raw s16le mono on a file descriptor, mostly stdin: a pipe, a file or a terminal."""

import logging
import os
import select
from collections.abc import Iterator
from typing import Final, Self

import numpy as np

from edgekws.audio.wake import WakePipe
from edgekws.errors import SourceError, UsageError
from edgekws.events import Block, Pcm

_log = logging.getLogger(__name__)
_STDIN: Final = 0
_SAMPLE_BYTES: Final = 2


class StdinSource:
    """Iterates over Blocks of raw s16le until the stream ends; portions of any size make no odds.

    The descriptor is not closed, for it belongs to whoever opened it.
    """

    name: Final = "-"

    def __init__(
        self,
        argument: str,
        *,
        sample_rate: int,
        block_samples: int,
        descriptor: int = _STDIN,
    ) -> None:
        if argument:
            raise UsageError(
                f"audio source '-' takes no argument, here {argument!r}; write --source -"
            )
        self._sample_rate = sample_rate
        self._block_bytes = block_samples * _SAMPLE_BYTES
        self._descriptor = descriptor
        self._wake: WakePipe | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        try:
            os.fstat(self._descriptor)
        except OSError as error:
            raise SourceError(
                "stdin is closed; pipe raw s16le audio into edgekws or name another source"
            ) from error
        if os.isatty(self._descriptor):
            _log.warning("stdin is a terminal; it is expected to give raw s16le audio")
        self._wake = WakePipe()
        return self

    def __exit__(self, *fault: object) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()

    def __iter__(self) -> Iterator[Block]:
        start = 0
        for data in self._whole_blocks():
            if start == 0 and data.startswith(b"RIFF"):
                _log.warning("stdin holds a file with a RIFF header; for files use wav:PATH")
            pcm = _samples(data)
            if len(pcm):
                yield Block(pcm, start, self._sample_rate)
            start += len(pcm)

    def stop(self) -> None:
        """End the iteration soon, even while it waits for data."""
        self._stopped = True
        wake = self._wake
        if wake is not None:
            wake.set()

    def _whole_blocks(self) -> Iterator[bytes]:
        """Yield the bytes of one block after another, and of what is left at the end."""
        held = bytearray()
        while (portion := self._read(self._block_bytes - len(held))) is not None:
            held += portion
            if len(held) == self._block_bytes or not portion:
                yield bytes(held)
                held.clear()
            if not portion:
                return

    def _read(self, limit: int) -> bytes | None:
        """Wait for up to `limit` bytes; none of them at the end, None after a stop."""
        while self._wait():
            try:
                return os.read(self._descriptor, limit)
            except BlockingIOError:  # another reader of a shared pipe was faster
                continue
            except OSError as error:
                raise SourceError(
                    f"stdin cannot be read ({error.strerror}); start what feeds it again"
                ) from error
        return None

    def _wait(self) -> bool:
        """Return True when there is something to read, the end included, False after a stop."""
        assert self._wake is not None, "a source is iterated inside its with statement"
        if not self._stopped:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            poll.register(self._wake.fileno(), select.POLLIN)
            poll.poll()
        return not self._stopped


def _samples(data: bytes) -> Pcm:
    """Return whole samples, (n,) int16; an odd byte can only stand at the stream's end."""
    if len(data) % _SAMPLE_BYTES:
        _log.warning("stdin ended in the middle of a sample; dropped its one byte")
        data = data[:-1]
    return np.frombuffer(data, "<i2").astype(np.int16)
