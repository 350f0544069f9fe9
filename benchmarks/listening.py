"""A running `edgekws listen`: its lines with times, its log, what it takes; maybe a satellite."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, Self

from edgekws.errors import EdgekwsError

PATIENCE_SECONDS: Final = 120
SATELLITE: Final = "tcp://127.0.0.1:0"
MB: Final = 1024 * 1024
_CPU_OF_ALL_THREADS: Final = 2  # CPUCLOCK_SCHED: clock_getcpuclockid(3) makes the same of a pid


class Listening:
    """Starts it on a bundle and a source, with more flags."""

    def __init__(self, bundle: Path, source: str, *more: str) -> None:
        flags = ["--source", source, "--bundle", str(bundle), *more]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgekws", "listen", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: list[tuple[float, dict[str, Any]]] = []
        self.log: list[str] = []
        self._logged = threading.Condition()
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._follow)]

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def connect(self) -> socket.socket:
        """Return a satellite's connection to it, once it waits for one on SATELLITE."""
        address = self.wait_for(r"waiting for a satellite on ([\d.]+):(\d+)")
        connection = socket.create_connection((address[1], int(address[2])))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else up to 40 ms
        return connection

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the match of a pattern in the log, once it is there."""
        with self._logged:
            found: list[re.Match[str]] = []
            self._logged.wait_for(lambda: self._search(pattern, found), PATIENCE_SECONDS)
        if not found:
            raise EdgekwsError(f"{pattern!r} was not logged: {' '.join(self.log[-3:])}")
        return found[0]

    def end(self) -> dict[str, int]:
        """Let it fall silent, which shows that all was heard, and return its counters."""
        self.wait_for("source lost")
        self.process.send_signal(signal.SIGTERM)
        ended = self.wait_for(r"ended (.*)")[1]
        return {name: int(count) for name, count in (pair.split("=") for pair in ended.split())}

    def status_mb(self, field: str) -> float:
        """Return a size from /proc, such as VmRSS."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(f"{field}:")[1].split()[0]) * 1024 / MB

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has taken, of all threads, those that ended too."""
        return time.clock_gettime(~self.process.pid << 3 | _CPU_OF_ALL_THREADS)

    def _search(self, pattern: str, found: list[re.Match[str]]) -> bool:
        found += [match for line in self.log if (match := re.search(pattern, line))]
        return bool(found)

    def _read(self) -> None:
        """Keep each line with the time at which it could be read."""
        assert self.process.stdout is not None
        descriptor, held = self.process.stdout.fileno(), b""
        while True:
            select.select([descriptor], [], [])
            now, portion = time.monotonic(), os.read(descriptor, 65_536)
            if not portion:
                return
            *whole, held = (held + portion).split(b"\n")
            self.lines += [(now, json.loads(line)) for line in whole]

    def _follow(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._logged:
                self.log.append(line.decode().rstrip())
                self._logged.notify_all()
