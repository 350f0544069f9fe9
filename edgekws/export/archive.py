"""A folder as a .tar.gz whose bytes depend on names and contents: no clock, no user, no order."""

import gzip
import hashlib
import tarfile
from pathlib import Path
from typing import Final

SUMS: Final = "SHA256SUMS"
EPOCH: Final = 315_532_800  # 1980-01-01, which zip tools can say too
LEVEL: Final = 6  # wheels are packed already


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every other file of a folder, as `sha256sum --check` reads it."""
    lines = []
    for path in _files(folder):
        if path.name != SUMS:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / SUMS).write_text("".join(lines), "utf-8")


def write_archive(folder: Path, archive: Path) -> None:
    """Write a folder, under its own name, as `archive`; its bytes are those of equal folders."""
    with (
        archive.open("xb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in (folder, *sorted(folder.rglob("*"))):
            name = path.relative_to(folder.parent).as_posix()
            entry = tar.gettarinfo(path, name)
            entry.mtime, entry.uid, entry.gid = EPOCH, 0, 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if path.is_dir() or path.suffix == ".sh" else 0o644
            if path.is_dir():
                tar.addfile(entry)
            else:
                with path.open("rb") as file:
                    tar.addfile(entry, file)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
