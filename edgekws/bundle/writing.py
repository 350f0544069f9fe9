"""Writing a bundle so that its folder is whole or as it was before, whatever happens."""

import fcntl
import glob
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekws.bundle.exchange import replace_folder, restore_folder
from edgekws.bundle.manifest import MANIFEST, FileEntry, Manifest, decode_manifest, encode_manifest
from edgekws.digest import sha256_hex
from edgekws.errors import BundleError


def file_entry(path: str, data: bytes) -> FileEntry:
    """Return the manifest's entry for a file of these bytes."""
    return FileEntry(path=path, sha256=sha256_hex(data), size=len(data))


def write_bundle(out: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a bundle's folder; `files` holds the bytes of every file that the manifest names.

    An older bundle at `out` is replaced in one step; an interrupted write leaves `out` as it was,
    and a folder `.NAME.partial-…` beside it that the next write removes. Raises BundleError where
    manifest and files disagree, where `out` is something else than a bundle, and for a full disk.
    """
    data = encode_manifest(manifest)
    decode_manifest(data, where=out / MANIFEST)
    _check_files(out, manifest, files)
    check_place(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(out)
        with partial_folder(out) as partial:
            for name, content in files.items():
                _write_file(partial / name, content)
            _write_file(partial / MANIFEST, data)
            move_folder(partial, out)
    except OSError as error:
        raise BundleError(f"{out}: cannot write the bundle: {error}") from error


def _check_files(out: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    entries = {entry.path: entry for entry in manifest.files()}
    if entries.keys() != files.keys():
        raise BundleError(
            f"{out}: the manifest names {sorted(entries)}, the files given are {sorted(files)}"
        )
    for name, data in files.items():
        if file_entry(name, data) != entries[name]:
            raise BundleError(f"{out}: the manifest's size or sha256 of {name} is not that given")


def check_place(out: Path) -> None:
    """Raise BundleError where something else than a bundle stands at `out`."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BundleError(f"{out}: is no folder: name another place for the bundle")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise BundleError(
            f"{out}: holds files and no {MANIFEST}, so it is no bundle and stays as it is: "
            "name another place or empty it"
        )


def move_folder(partial: Path, out: Path) -> None:
    """Move a folder beside or below `out` into its place, in one step and onto the disk."""
    _sync_folder(partial)
    replace_folder(partial, out, aside=_aside(out))
    _sync_folder(out.parent)


@contextmanager
def partial_folder(out: Path) -> Iterator[Path]:
    """Make a locked folder beside `out`; on the way out, remove what then has its name."""
    partial = out.parent / f".{out.name}.partial-{os.urandom(4).hex()}"
    partial.mkdir()
    lock = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield partial
    finally:
        os.close(lock)
        shutil.rmtree(partial, ignore_errors=True)


def clean_leftovers(out: Path) -> None:
    """Remove what killed writes left; the lock shows which ones are still being written."""
    restore_folder(out, aside=_aside(out))
    for folder in list(out.parent.glob(f".{glob.escape(out.name)}.partial-*")):
        with suppress(BlockingIOError, FileNotFoundError):
            _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def _aside(out: Path) -> Path:
    return out.parent / f".{out.name}.old"


def _write_file(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
