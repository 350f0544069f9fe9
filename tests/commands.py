"""Runs `edgekws` as a person does: a process, its lines, its exit code; every wait is bounded."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import soundfile

from edgekws.events import Pcm

ROOT: Final = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS: Final = 60.0  # a loaded CI machine starts Python in seconds
RATE: Final = 16_000


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended: its JSON lines, its messages, its exit code."""

    code: int
    lines: list[dict[str, Any]]
    stderr: str

    @property
    def error(self) -> str:
        return error_line(self.stderr)


def edgekws(
    *args: object,
    cwd: Path | None = None,
    stdin: bytes = b"",
    seconds: float = PATIENCE_SECONDS,
) -> Done:
    """Run a command to its end, which comes in so many seconds."""
    done = subprocess.run(
        argv(args),
        cwd=cwd,
        env=environment(),
        input=stdin,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    return Done(done.returncode, parse(done.stdout), done.stderr.decode())


def run_text(*args: object, shell_limit: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command that says words, below a limit of the shell such as "ulimit -f 8"."""
    command = argv(args)
    if shell_limit:
        command = ["sh", "-c", f'{shell_limit}; exec "$@"', "sh", *command]
    return subprocess.run(
        command,
        env={**environment(), "no_proxy": "127.0.0.1"},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def error_line(stderr: str) -> str:
    """Return the one line of the error; a traceback is not one."""
    assert "Traceback" not in stderr
    (line,) = [x for x in stderr.splitlines() if x.startswith("edgekws: error: ")]
    return line


def argv(args: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "edgekws", *map(str, args)]


def environment() -> dict[str, str]:
    """Return ours, with the project importable from any folder and UTF-8 whatever the locale."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


def parse(stdout: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.decode().splitlines()]


def write_wav(path: Path, pcm: Pcm, *, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, pcm, rate)
    return path


class Listening:
    """A running `edgekws listen`, by itself on stdin, fed and read piece by piece."""

    def __init__(
        self, *args: object, source: str = "-", environ: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            argv(("listen", "--source", source, *args)),
            env={**environment(), **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_SECONDS)

    def feed(self, data: bytes, *, portion: int = 65_536) -> None:
        assert self.process.stdin is not None
        for start in range(0, len(data), portion):
            self.process.stdin.write(data[start : start + portion])

    def has_event(self, *, within_seconds: float) -> bool:
        """Return whether a line, or a part of one, comes in so many seconds."""
        return bool(self._held or select.select([self.process.stdout], [], [], within_seconds)[0])

    def event(self) -> dict[str, Any]:
        """Return the next line, or fail after a bounded time."""
        assert self.process.stdout is not None
        while b"\n" not in self._held:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
            portion = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            assert portion, "no line came"
            self._held += portion
        line, _, self._held = self._held.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    def pending(self) -> list[dict[str, Any]]:
        """Return the lines that have come and were not asked for yet."""
        events = []
        while self.has_event(within_seconds=0.0):
            events.append(self.event())
        return events

    def end(self, *, within_seconds: float = PATIENCE_SECONDS) -> Done:
        """Close stdin, and wait for the end."""
        stdout, stderr = self.process.communicate(timeout=within_seconds)
        return Done(self.process.returncode, parse(self._held + (stdout or b"")), stderr.decode())

    def ends_by_itself(self, *, within_seconds: float) -> Done:
        """Wait for the end with stdin still open."""
        self.process.wait(timeout=within_seconds)
        return self.end()
