"""A program as a source, such as arecord, parec or pw-record: raw s16le mono on its stdout."""

import contextlib
import fcntl
import logging
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from typing import Final, Self

from edgekws.audio.capture import PATIENCE, Patience
from edgekws.audio.raw import RawReader
from edgekws.errors import SourceError, UsageError
from edgekws.events import Block

_log = logging.getLogger(__name__)
_PIPE_BYTES: Final = 1 << 18  # 8 s at 16 kHz: how far the main loop may fall behind
_END_SECONDS: Final = 0.3  # to end by itself: the whole daemon has two seconds


class ChildSource:
    """Iterates over Blocks of what a program prints; that it ends, or falls silent, is a fault.

    The text is split as a shell would (quotes, no more) and run without one; "{rate}" in it stands
    for the sample rate. It may be entered again, which starts the program anew. What the program
    says on stderr goes to ours.
    """

    def __init__(
        self,
        argument: str,
        *,
        sample_rate: int,
        block_samples: int,
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = f"exec:{argument}"
        self._argv = _split(argument, sample_rate)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = RawReader(
            name=self.name,
            sample_rate=sample_rate,
            block_samples=block_samples,
            wait_seconds=(patience.first_seconds, patience.next_seconds),
        )
        self.device = self._argv[0]
        self.dropped_frames: Final = 0

    def __enter__(self) -> Self:
        """Start the program; raise SourceError where that cannot be."""
        try:
            self._process = process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise SourceError(
                f"{self._argv[0]} cannot be started ({error.strerror}); install it or correct"
                " the source"
            ) from error
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # beyond what this user may: as it was, then
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._reader.open(process.stdout.fileno())
        _log.debug("source started pid=%d program=%s", process.pid, self._argv[0])
        return self

    def __exit__(self, *fault: object) -> None:
        self._reader.close()
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def __iter__(self) -> Iterator[Block]:
        yield from self._reader
        if not self._reader.stopped:
            raise SourceError(f"{self.name}: {self._ending()}; see what it says on stderr")

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        self._reader.stop()

    def _ending(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its stdout"
        return f"it was killed by signal {-code}" if code < 0 else f"it ended with code {code}"


def _split(argument: str, sample_rate: int) -> list[str]:
    try:
        argv = [part.replace("{rate}", str(sample_rate)) for part in shlex.split(argument)]
    except ValueError as error:
        raise UsageError(f"audio source 'exec:{argument}': {error}") from error
    if not argv:
        raise UsageError("audio source 'exec:' needs a program, as in exec:arecord -t raw ...")
    return argv


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started."""
    assert process.stdout is not None
    process.stdout.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
