"""Unpacks an archive that came from outside: regular files by checked names, counted and capped."""

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from edgekws.errors import DataError
from edgekws.train.datasets import Layout
from edgekws.train.download import Watcher


def unpack(archive: Path, folder: Path, layout: Layout, watcher: Watcher) -> tuple[int, int]:
    """Copy the regular files of an archive into a new folder; return their count and bytes.

    Hidden files (.DS_Store and the like) are left out. Raises DataError, and leaves what it
    has copied so far, for a path that leaves the folder, a link or a device, more than the layout
    allows, a damaged archive, and one without files; OSError where the disk fails.
    """
    folder.mkdir()
    size = archive.stat().st_size
    members = files = total = 0
    try:
        with (
            archive.open("rb") as packed,
            gzip.GzipFile(fileobj=packed) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep 100,000 of them
                path = _checked_path(archive, member)
                members, total = members + 1, total + member.size
                _check_counts(archive, layout, members, total)
                if member.isreg() and not any(part.startswith(".") for part in path.parts):
                    _copy(tar, member, folder / path)
                    files += 1
                watcher.progress("unpacking", packed.tell(), size)
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError) as error:
        raise DataError(f"{archive}: is damaged: {error}; remove it and fetch again") from error
    if not files:
        raise DataError(f"{archive}: holds no files; the table of sets is wrong about it")
    return files, total


def _checked_path(archive: Path, member: tarfile.TarInfo) -> PurePosixPath:
    """Return the member's path inside the folder; DataError where it is not plainly inside."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{archive}: {member.name!r} leaves the folder; nothing was unpacked")
    if not (member.isdir() or (member.isreg() and path.parts)):
        raise DataError(
            f"{archive}: {member.name!r} is neither a file nor a folder; nothing was unpacked"
        )
    return path


def _check_counts(archive: Path, layout: Layout, members: int, total: int) -> None:
    if members > layout.max_files or total > layout.max_bytes:
        raise DataError(
            f"{archive}: holds more than {layout.max_files} files or {layout.max_bytes} bytes, "
            "which the table of sets allows; nothing was unpacked"
        )


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Copy one file to a path that must be new."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None, "a regular member has bytes"
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)
