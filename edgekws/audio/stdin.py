"""Raw s16le mono on a file descriptor, mostly stdin: a pipe, a file or a terminal."""

import logging
import os
from collections.abc import Iterator
from typing import Final, Self

from edgekws.audio.raw import RawReader
from edgekws.errors import SourceError, UsageError
from edgekws.events import Block

_log = logging.getLogger(__name__)
_STDIN: Final = 0


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
        self._descriptor = descriptor
        self._reader = RawReader(name="stdin", sample_rate=sample_rate, block_samples=block_samples)

    def __enter__(self) -> Self:
        try:
            os.fstat(self._descriptor)
        except OSError as error:
            raise SourceError(
                "stdin is closed; pipe raw s16le audio into edgekws or name another source"
            ) from error
        if os.isatty(self._descriptor):
            _log.warning("stdin is a terminal; it is expected to give raw s16le audio")
        self._reader.open(self._descriptor)
        return self

    def __exit__(self, *fault: object) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[Block]:
        return iter(self._reader)

    def stop(self) -> None:
        """End the iteration soon, even while it waits for data."""
        self._reader.stop()
