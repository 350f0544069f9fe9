"""The network side of the wake word service: a socket, some clients and their threads."""

import logging
import select
import signal
import socket
import threading
from contextlib import ExitStack, suppress
from typing import Final

from wyoming.error import Error
from wyoming.info import Info

from edgekws.audio.wake import WakePipe
from edgekws.dispatch.tcp import Address
from edgekws.dispatch.wire import EventReader, WireError, write_event
from edgekws.errors import EdgekwsError, SourceError
from edgekws.runtime.tally import Tally
from edgekws.service.pool import Pool
from edgekws.service.session import Session

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 300.0  # a client that says nothing for so long is let go
WRITE_SECONDS: Final = 5.0  # one that does not read is let go after this
JOIN_SECONDS: Final = 1.0
MAX_CLIENTS: Final = 64


class WakeServer:
    """Takes clients and gives each a session and a thread, until it is stopped."""

    def __init__(self, address: Address, info: Info, pool: Pool, *, max_clients: int) -> None:
        """Bind the address; SourceError where that cannot be done."""
        self._info, self._pool, self._max_clients = info, pool, max_clients
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._tally = Tally(log.warning)
        self._wake = WakePipe()
        try:
            self._socket = socket.create_server(
                (address.host, address.port), family=_family(address)
            )
        except OSError as error:
            raise SourceError(f"{address.uri} cannot be listened at: {error.strerror}") from error
        self.address = Address(address.host, self._socket.getsockname()[1])

    @property
    def wake_fd(self) -> int:
        """The descriptor to which signals may be written."""
        return self._wake.writer

    def run(self) -> None:
        """Serve until `stop` is called, then let go of every client."""
        with ExitStack() as closing:
            closing.callback(self._wake.close)
            closing.callback(self._end_clients)
            closing.callback(self._socket.close)
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            poll.register(self._wake.fileno(), select.POLLIN)
            while not self._stopped():
                if self._socket.fileno() in (fd for fd, _ in poll.poll()):
                    self._accept()

    def stop(self) -> None:
        """End `run` soon; safe from a signal handler and from another thread."""
        self._wake.set()

    def _stopped(self) -> bool:
        """Say whether `stop` or an ending signal came; SIGHUP has nothing to reload here."""
        return bool(set(self._wake.clear()) - {signal.SIGHUP})

    def _accept(self) -> None:
        try:
            client, _ = self._socket.accept()
        except OSError as error:  # it went away again, or there are no more descriptors
            self._tally.note("accept", f"a client could not be taken: {error.strerror}")
            return
        with self._lock:
            if len(self._clients) >= self._max_clients:
                self._tally.note("full", f"more than {self._max_clients} clients: refused")
                client.close()
                return
            thread = threading.Thread(
                target=self._serve, args=(client,), name="client", daemon=True
            )
            self._clients[client] = thread
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        session = Session(self._info, self._pool)
        try:
            self._converse(client, session)
        except (WireError, EdgekwsError) as error:
            self._tally.note("wire", f"a client was let go: {error}")
            with suppress(OSError):
                write_event(client, Error(str(error)).event(), timeout_seconds=WRITE_SECONDS)
        except OSError as error:
            self._tally.note("lost", f"a client was lost: {error.strerror or 'it took too long'}")
        finally:
            session.close()
            with self._lock:
                del self._clients[client]
            client.close()

    def _converse(self, client: socket.socket, session: Session) -> None:
        reader = EventReader(client, idle_seconds=IDLE_SECONDS)
        while (arrived := reader.read()) is not None:
            for event in session.answer(arrived):
                write_event(client, event, timeout_seconds=WRITE_SECONDS)

    def _end_clients(self) -> None:
        with self._lock:
            clients = dict(self._clients)
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in clients.values():
            thread.join(JOIN_SECONDS)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
