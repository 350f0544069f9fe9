"""Locked requirements: for each architecture, Python and engine every package and its sha256.

The lock files are data of this package, written by `make locks`. Each line names one wheel: that
which pip takes on the board, so that a wheelhouse holds the same files whenever it is filled.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import edgekws
from edgekws.errors import ExportError
from edgekws.train.pip_download import pip_download

LOCKS: Final = Path(edgekws.__file__).parent / "share" / "requirements"
MICROPHONE: Final = "microphone.txt"
"""PyAudio has no wheels for Linux: its source, which the board compiles where it can."""

GLIBC: Final = "2.35"
"""The oldest C library that wheels are taken for: Ubuntu 22.04 has it, JetPack 6 too; Debian 12 and
Raspberry Pi OS bookworm have 2.36."""

OLDEST_MANYLINUX: Final = 17
DOWNLOAD_SECONDS: Final = 900
LINE: Final = re.compile(
    r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)==(?P<version>[0-9][0-9A-Za-z.+]*)"
    r" --hash=sha256:(?P<sha256>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package: its normalized name, version, and the sha256 of its file."""

    name: str
    version: str
    sha256: str

    def line(self) -> str:
        """Return the line that pip reads."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def lock_path(architecture: str, python: str, engine: str) -> Path:
    """Return where the lock for an architecture, Python and engine lies."""
    return LOCKS / f"{architecture}-py{python}-{engine}.txt"


def read_lock(path: Path) -> tuple[Pin, ...]:
    """Read a lock; ExportError where it is missing or a line is no pinned package with a hash."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise ExportError(
            f"{path}: no locked requirements ({error.strerror}): `make locks` writes them"
        ) from error
    pins = []
    for number, line in enumerate(lines, start=1):
        found = LINE.fullmatch(line)
        if found is not None:
            pins.append(Pin(**found.groupdict()))
        elif line and not line.startswith("#"):
            raise ExportError(f"{path}:{number}: no pinned package with a hash: `make locks`")
    return tuple(pins)


def platform_tags(architecture: str) -> list[str]:
    """Return pip's flags for every manylinux platform that the boards can load, best first."""
    newest = int(GLIBC.partition(".")[2])
    names = [f"manylinux_2_{minor}" for minor in range(newest, OLDEST_MANYLINUX - 1, -1)]
    return [
        flag
        for name in (*names, "manylinux2014")
        for flag in ("--platform", f"{name}_{architecture}")
    ]


def download_wheels(
    locks: Sequence[Path], into: Path, *, architecture: str, pythons: Sequence[str]
) -> None:
    """Fill a folder with the wheels of the locks, one lock per Python, by pip and its index.

    Raises ExportError, with pip's own last line, where one cannot be had.
    """
    for lock, python in zip(locks, pythons, strict=True):
        flags = ["--python-version", python, *platform_tags(architecture)]
        fault = pip_download(lock, into, flags, timeout_seconds=DOWNLOAD_SECONDS)
        if fault:
            raise ExportError(f"no wheelhouse for Python {python}: {fault}")
