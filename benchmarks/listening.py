"""A running `edgekws listen` with a satellite connected: its lines with times, and its log."""

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

PATIENCE_SECONDS: Final = 120
MB: Final = 1024 * 1024


class Listening:
    """Starts it on a bundle and connects; what is sent on `connection` is what it hears."""

    def __init__(self, bundle: Path) -> None:
        source = ["--source", "tcp://127.0.0.1:0", "--bundle", str(bundle)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgekws", "listen", *source],
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
        address = self.wait_for(r"waiting for a satellite on ([\d.]+):(\d+)")
        self.connection = socket.create_connection((address[1], int(address[2])))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else up to 40 ms
        return self

    def __exit__(self, *fault: object) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the match of a pattern in the log, once it is there."""
        with self._logged:
            found: list[re.Match[str]] = []
            self._logged.wait_for(lambda: self._search(pattern, found), PATIENCE_SECONDS)
        if not found:
            sys.exit(f"soak.py: {pattern!r} was not logged: {' '.join(self.log[-3:])}")
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
        """Return the CPU time that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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
