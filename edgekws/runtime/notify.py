"""Tells systemd how the daemon is: the few lines of sd_notify that are needed (sd_notify(3))."""

import logging
import socket
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)
_MICROSECONDS: Final = 1_000_000


class Notifier:
    """Sends lines to the datagram socket of NOTIFY_SOCKET; "" is nobody, and costs nothing.

    A service manager that does not take a message is none of the ears' business: said once.
    """

    def __init__(self, address: str, *, watchdog_seconds: float | None = None) -> None:
        """Connect to an address as systemd writes it, where "@" begins an abstract name.

        `watchdog_seconds` is how long systemd waits for a ping, None where it waits for none.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self.watchdog_seconds = watchdog_seconds
        self._failed = False

    def ready(self) -> None:
        """Say that starting, or reloading, is over."""
        self._send("READY=1")

    def reloading(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Say that configuration is being read again."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(clock() * _MICROSECONDS)}")

    def status(self, words: str) -> None:
        """Say in words how it is."""
        self._send(f"STATUS={' '.join(words.split())}")

    def ping(self) -> None:
        """Say that it hears."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that it ends."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket; nothing is sent any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, lines: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(lines.encode(), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("systemd is not told: %s (said once)", error.strerror or error)
            self._failed = True
