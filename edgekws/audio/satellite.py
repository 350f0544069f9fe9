"""A microphone elsewhere: a satellite connects by TCP and sends raw s16le mono at our rate."""

import logging
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Self
from urllib.parse import urlsplit

from edgekws.audio.capture import PATIENCE, Patience
from edgekws.audio.raw import RawReader
from edgekws.audio.wake import WakePipe
from edgekws.errors import SourceError, UsageError
from edgekws.events import Block

_log = logging.getLogger(__name__)
LOOPBACK: Final = "127.0.0.1"


class Satellite:
    """Iterates over Blocks that one satellite sends; while one is connected others have to wait.

    "//HOST:PORT" is where to listen; without a host it is the loopback, for there is no password
    and no encryption: let ssh or WireGuard carry it. That a satellite goes away or falls silent is
    a fault; entered again, the source waits for the next one, for as long as it takes.
    """

    def __init__(
        self,
        argument: str,
        *,
        sample_rate: int,
        block_samples: int,
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = f"tcp:{argument}"
        self._address = _address(argument)
        self._listening: socket.socket | None = None
        self._wake: WakePipe | None = None
        self._closing = ExitStack()
        self._reader = RawReader(
            name=self.name,
            sample_rate=sample_rate,
            block_samples=block_samples,
            wait_seconds=(patience.next_seconds, patience.next_seconds),
        )
        self.device = ""
        """The address of the satellite that connected last."""
        self.dropped_frames: Final = 0

    @property
    def port(self) -> int:
        """The port it listens on, which the system chose where 0 was named."""
        assert self._listening is not None, "a source listens inside its with statement"
        return int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        """Listen; raise SourceError where the address is taken or not ours."""
        try:
            self._listening = socket.create_server(self._address, backlog=1)
        except OSError as error:
            raise SourceError(f"{self.name}: {error.strerror}; name a free address") from error
        self._closing.enter_context(self._listening)
        self._wake = WakePipe()
        self._closing.callback(self._wake.close)
        self._address = (self._address[0], self.port)  # the same one when entered again
        return self

    def __exit__(self, *fault: object) -> None:
        self._listening = self._wake = None
        self._closing.close()

    def __iter__(self) -> Iterator[Block]:
        connection = self._accept()
        if connection is None:
            return
        self._closing.enter_context(connection)
        reader = self._reader
        reader.open(connection.fileno())
        self._closing.callback(reader.close)
        connection.setblocking(False)  # the kernel may well wake us with less than it was told
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, reader.block_bytes)
        yield from reader
        if not reader.stopped:
            raise SourceError(f"{self.name}: the satellite went away; it is waited for")

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        self._reader.stop()
        wake = self._wake
        if wake is not None:
            wake.set()

    def _accept(self) -> socket.socket | None:
        """Wait for a satellite; None after a stop."""
        listening, wake = self._listening, self._wake
        assert listening is not None, "a source is iterated inside its with statement"
        assert wake is not None
        _log.info("waiting for a satellite on %s:%d", self._address[0], self.port)
        poll = select.poll()
        poll.register(listening, select.POLLIN)
        poll.register(wake.fileno(), select.POLLIN)
        if not self._reader.stopped:
            poll.poll()
        if self._reader.stopped:
            return None
        connection, peer = listening.accept()
        self.device = str(peer[0])
        _log.info("satellite connected from=%s", self.device)
        return connection


def _address(argument: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"tcp:{argument}")
        port = parts.port
    except ValueError as error:
        raise UsageError(f"audio source 'tcp:{argument}': {error}") from error
    if port is None or parts.path or parts.query or parts.username is not None:
        raise UsageError(f"audio source 'tcp:{argument}' is not of the form tcp://HOST:PORT")
    return parts.hostname or LOOPBACK, port
