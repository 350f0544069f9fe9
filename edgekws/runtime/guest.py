"""One connection at the reception: bounded in what is held of it, either way."""

import socket
from collections.abc import Iterator
from typing import Final, Protocol

PORTION_BYTES: Final = 4_096  # read at a time
UNREAD_BYTES: Final = 262_144  # what a guest may leave unread before it is sent away


class Talk(Protocol):
    """What is spoken with one guest."""

    follows: bool
    """Whether the guest is sent all news."""
    over: bool
    """Whether to hang up once all is sent."""

    def hear(self, data: bytes) -> Iterator[bytes]:
        """Take what came, and give answers one by one; hold no more than a bounded piece of it."""
        ...


class Guest:
    """A socket that never waits, and what is still to be sent through it."""

    def __init__(self, connection: socket.socket, talk: Talk, now: float) -> None:
        connection.setblocking(False)
        self.connection, self.talk = connection, talk
        self._unread = bytearray()
        self._heard = now
        self._gone = False
        self.slow = False
        """Whether it is sent away because it leaves too much unread."""

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to do with it."""
        return self._gone or self.slow or (self.talk.over and not self._unread)

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._unread)

    def idle_seconds(self, now: float) -> float:
        """Return for how long it said nothing; one that follows the news need not speak."""
        return 0.0 if self.talk.follows else now - self._heard

    def receive(self, now: float) -> None:
        """Take what came, and answer."""
        try:
            data = self.connection.recv(PORTION_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone = True
            return
        self._heard = now
        for answer in self.talk.hear(data):
            self.post(answer)
            if self.slow:
                return

    def post(self, data: bytes) -> None:
        """Send as much as goes now, hold the rest; one that holds up too much is slow."""
        if len(self._unread) + len(data) > UNREAD_BYTES:
            self.slow = True
            return
        self._unread += data
        self.send()

    def send(self) -> None:
        """Send as much as goes now."""
        try:
            sent = self.connection.send(self._unread)
        except BlockingIOError:
            return
        except OSError:
            self._gone = True
            return
        del self._unread[:sent]
