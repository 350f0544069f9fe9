"""A serial port for a board that sits behind a faulty wire: a pseudo-terminal and a thread."""

import os
import pty
import select
import socket
import threading
import time
import tty
from pathlib import Path
from typing import Self

from tests.faulty_wire import Spoiler, Wire
from tests.firmware_tools import PATIENCE_SECONDS


class PtyProxy:
    """Carries bytes between `port`, which a host opens, and a board's socket; spoils frames."""

    def __init__(self, board: socket.socket, *, rate: float, seed: int) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = Path(os.ttyname(self._slave))
        self._board = board
        self._there = Wire(Spoiler(rate, seed=seed))
        self._back = Wire(Spoiler(rate, seed=seed + 1))
        self._stop = threading.Event()
        self.cut = threading.Event()
        """While it is set nothing passes."""
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)
        os.close(self._master)
        os.close(self._slave)

    @property
    def spoiled(self) -> int:
        return self._there.spoiled + self._back.spoiled

    def _run(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master, self._board], [], [], 0.002)
            now_ms = time.monotonic() * 1000
            if self._master in ready:
                self._there.send(os.read(self._master, 4096), now_ms)
            if self._board in ready:
                self._back.send(self._board.recv(4096), now_ms)
            there, back = self._there.arrived(now_ms), self._back.arrived(now_ms)
            if not self.cut.is_set():
                self._board.sendall(there)
                os.write(self._master, back)
