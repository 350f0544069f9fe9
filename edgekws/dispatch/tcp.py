"""TCP connections with one deadline for all of their addresses, that another thread may end."""

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec


class Address(msgspec.Struct, frozen=True):
    """One end of a connection, as tcp://HOST:PORT."""

    host: str
    port: int

    @classmethod
    def parse(cls, uri: str) -> "Address":
        """Read a URI, or raise ValueError."""
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
        if parts.scheme != "tcp" or not host or port is None or parts.path or "@" in parts.netloc:
            raise ValueError(f"{uri!r} is no address; write tcp://HOST:PORT")
        return cls(host, port)

    @property
    def uri(self) -> str:
        """The address as it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


class Line:
    """The connection that is in use, if any; `hang_up` ends it, and all that come, at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether `hang_up` was called."""
        return self._ended

    def connect(self, address: Address, deadline: float) -> socket.socket:
        """Return a connection to the first machine of that name that takes one.

        `deadline` is one of `time.monotonic`. Raises OSError, of which TimeoutError is one.
        """
        fault: OSError = TimeoutError(f"no time left to reach {address.host}")
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, place in found:
            if (left := deadline - time.monotonic()) <= 0 or self._ended:
                break
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(left)
                self.hold(connection)
                connection.connect(place)
            except OSError as error:
                fault = error
                self.let_go()
                connection.close()
            else:
                return connection
        raise fault

    def hold(self, connection: socket.socket) -> None:
        """Use this connection from now on."""
        with self._lock:
            self._socket = connection
            if self._ended:
                _shut(connection)

    def let_go(self) -> None:
        """Use none; whoever opened it closes it after this."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """End the connection in use; whoever waits for it gets an error or its end."""
        with self._lock:
            if self._socket is not None:
                _shut(self._socket)

    def hang_up(self) -> None:
        """End the connection in use and every later one."""
        self._ended = True
        self.cut()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is not connected, or not any more
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # not TLS's own, which would wait
