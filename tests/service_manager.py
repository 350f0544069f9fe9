"""What systemd does for a service of Type=notify: a datagram socket, read with a bounded wait."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SECONDS: Final = 60.0  # for every wait: far more than any message takes


class ServiceManager:
    """Keeps the lines that were sent, in order."""

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening
        self.address: str = listening.getsockname()
        self.lines: list[str] = []

    def wait_for(self, start: str, *, seconds: float = SECONDS) -> str:
        """Return the first line from now on that begins so; what came before it is in `lines`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.read(deadline - time.monotonic()):
                if line.startswith(start):
                    return line
        raise AssertionError(f"no {start} within {seconds:g} s; there was {self.lines}")

    def read(self, seconds: float) -> list[str]:
        """Wait so long for one message and return its lines."""
        if not select.select([self._socket], [], [], max(0.0, seconds))[0]:
            return []
        lines = self._socket.recv(4096).decode().splitlines()
        self.lines += lines
        return lines


@contextmanager
def service_manager(path: Path) -> Iterator[ServiceManager]:
    """Listen at a path, which NOTIFY_SOCKET is to name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        yield ServiceManager(listening)
