"""The journal as a file: JSON lines, bounded in size, written by a thread that may wait for it."""

import errno
import logging
import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from edgekws.errors import ConfigError

log = logging.getLogger(__name__)

LINES: Final = 1_024  # that wait for the disk
_RETRY_SECONDS: Final = 1.0


class Ledger:
    """Writes whole lines; what the disk does not take is counted and said, and never raised.

    A file that would grow over `max_bytes` becomes PATH.1, what was that PATH.2, up to `files` in
    all. `take` may be called from any thread, all else from the one that writes.
    """

    def __init__(self, path: Path, *, max_bytes: int, files: int) -> None:
        """Open the file to append to; ConfigError where that cannot be."""
        self._path, self._max_bytes, self._files = path, max_bytes, files
        self._lines: deque[bytes] = deque()
        self._file: int | None = None
        self.lost = 0
        """How many lines are missing."""
        self.complaint = ""
        """What is wrong with the file now, empty while nothing is."""
        try:
            self._open()
        except OSError as error:
            raise ConfigError(
                f"[journal] path: {path}: {error.strerror}; name another place"
            ) from error

    def take(self, line: bytes) -> None:
        """Have a line written; never waits."""
        if len(self._lines) >= LINES:
            self.lost += 1
            return
        self._lines.append(line)

    def work(self, now: float) -> float:
        """Write what was taken; return in how many seconds to look again."""
        del now
        while self._lines:
            self._write(self._lines.popleft())
        return _RETRY_SECONDS

    def _write(self, line: bytes) -> None:
        try:
            self._append(line)
        except OSError as error:
            self.lost += 1
            if not self.complaint:
                log.warning("journal %s: %s: lines are lost", self._path, error.strerror)
            self.complaint = f"the journal takes no more lines: {error.strerror}"
            return
        if self.complaint:
            log.info("journal %s takes lines again, %d are lost", self._path, self.lost)
        self.complaint = ""

    def _append(self, line: bytes) -> None:
        file, size = self._open()
        if size and size + len(line) > self._max_bytes:
            self._rotate()
            file, size = self._open()
        if os.write(file, line) != len(line):
            os.ftruncate(file, size)  # half a line would spoil the one that follows
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> tuple[int, int]:
        """Return the file and its size; opened anew where somebody else moved it away."""
        if self._file is not None:
            try:
                there, ours = self._path.stat(), os.fstat(self._file)
                if (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev):
                    return self._file, ours.st_size
            except FileNotFoundError:
                pass
            self._close()
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        return self._file, os.fstat(self._file).st_size

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _rotate(self) -> None:
        self._close()
        for number in range(self._files - 1, 0, -1):
            older = self._numbered(number)
            with suppress(FileNotFoundError):
                self._numbered(number - 1).replace(older)
        if self._files == 1:
            self._path.unlink()

    def _numbered(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_name(f"{self._path.name}.{number}")
