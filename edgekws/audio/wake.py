"""A pipe to oneself: wakes a waiting reader from a callback, a signal handler or a thread."""

import contextlib
import os
from typing import Final

_DRAIN_BYTES: Final = 65_536  # as much as a pipe holds


class WakePipe:
    """An event that never blocks or fails the one who sets it, and that poll() can wait for.

    threading.Event would not do: its lock may be held by the very code a signal handler interrupts.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """Return the descriptor that is readable once the event is set."""
        return self._reader

    @property
    def writer(self) -> int:
        """The descriptor that a byte is written to; `signal.set_wakeup_fd` takes it."""
        return self._writer

    def set(self) -> None:
        """Set the event; a full pipe is as good as set, a closed one has nobody waiting."""
        with contextlib.suppress(OSError):
            os.write(self._writer, b"\0")

    def clear(self) -> bytes:
        """Take the event back; return what was written: 0, or the number of a signal."""
        with contextlib.suppress(BlockingIOError):
            return os.read(self._reader, _DRAIN_BYTES)
        return b""

    def close(self) -> None:
        """Close both ends; a later set does nothing."""
        reader, writer = self._reader, self._writer
        self._reader = self._writer = -1
        os.close(reader)
        os.close(writer)
