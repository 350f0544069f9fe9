"""Brings public speech sets from their published addresses: download, check, unpack, one folder."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from edgekws.errors import DataError
from edgekws.specs import Spec
from edgekws.train.datasets import Dataset
from edgekws.train.download import CHUNK, Network, Watcher, download
from edgekws.train.unpack import unpack

MARK: Final = "dataset.json"  # in the folder of a finished set
_UNPACKED: Final = "unpacked"


class Fetched(Spec, frozen=True):
    """dataset.json: what a folder holds, and where it came from."""

    name: str
    title: str
    licence: str
    url: str
    sha256: str
    files: int
    bytes: int


def fetch(dataset: Dataset, out: Path, *, network: Network, watcher: Watcher) -> bool:
    """Make `out` the folder of a set; return False where it is that already.

    Until it is whole, everything lies in `out`.partial, from where a later call goes on. Raises
    DataError for an `out` that holds anything else, a refusing or unreachable server, a wrong
    hash, an archive that is not as the layout says, and a disk that is full or fails.
    """
    place = out.resolve()
    partial = place.with_name(f"{place.name}.partial")
    archive = partial / f"{dataset.sha256}.{dataset.layout.archive}"
    try:
        if _is_finished(dataset, place):
            _forget(archive)
            return False
        _require_free(out, place)
        with _claimed(partial, archive):
            _require_space(dataset, archive)
            download(dataset.url, archive, size=dataset.bytes, network=network, watcher=watcher)
            _check_hash(dataset, archive, watcher)
            _unpack_to(place, dataset, archive, watcher)
            _forget(archive)
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: {error.strerror or error}; mend that, and the same command "
            "goes on from where it was"
        ) from error
    return True


def _is_finished(dataset: Dataset, place: Path) -> bool:
    try:
        return msgspec.json.decode((place / MARK).read_bytes(), type=Fetched).sha256 == (
            dataset.sha256
        )
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return False


def _require_free(out: Path, place: Path) -> None:
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise DataError(f"{out}: is there already and is not this set; name another folder")


@contextmanager
def _claimed(partial: Path, archive: Path) -> Iterator[None]:
    """Hold the folder of an unfinished fetch, alone; on the way out it goes if it is empty."""
    partial.mkdir(parents=True, exist_ok=True)
    lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(lock, partial)
        strange = {path.name for path in partial.iterdir()} - {archive.name, _UNPACKED}
        if strange:
            raise DataError(
                f"{partial}: holds {min(strange)}, which is not of this set; remove that folder, "
                "or name another one with --out"
            )
        yield
    finally:
        os.close(lock)
        with suppress(OSError):
            partial.rmdir()


def _lock(handle: int, partial: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(f"{partial}: another fetch is at work there; let it end") from error


def _forget(archive: Path) -> None:
    """Remove the archive of a finished set, and its folder with it when that is all it held."""
    archive.unlink(missing_ok=True)
    with suppress(OSError):
        archive.parent.rmdir()


def _require_space(dataset: Dataset, archive: Path) -> None:
    have = archive.stat().st_size if archive.exists() else 0
    need = dataset.bytes - have + dataset.layout.max_bytes
    free = shutil.disk_usage(archive.parent).free
    if free < need:
        raise DataError(
            f"{archive.parent}: {dataset.name} takes up to {need / 1e9:.1f} GB until it is "
            f"unpacked, and {free / 1e9:.1f} GB are free; make room or name another folder"
        )


def _check_hash(dataset: Dataset, archive: Path, watcher: Watcher) -> None:
    digest, done = sha256(), 0
    with archive.open("rb") as file:
        while chunk := file.read(16 * CHUNK):
            digest.update(chunk)
            done += len(chunk)
            watcher.progress("checking", done, dataset.bytes)
    if digest.hexdigest() != dataset.sha256:
        archive.unlink()
        raise DataError(
            f"{dataset.url}: the sha256 of what came is {digest.hexdigest()} instead of "
            f"{dataset.sha256}; it was removed: try again, and should that not help, what is "
            "published has changed"
        )


def _unpack_to(place: Path, dataset: Dataset, archive: Path, watcher: Watcher) -> None:
    """Unpack beside the archive, then give the folder its name; no part of it ever has it."""
    folder = archive.parent / _UNPACKED
    shutil.rmtree(folder, ignore_errors=True)
    try:
        files, total = unpack(archive, folder, dataset.layout, watcher)
        fetched = Fetched(
            name=dataset.name,
            title=dataset.title,
            licence=dataset.licence,
            url=dataset.url,
            sha256=dataset.sha256,
            files=files,
            bytes=total,
        )
        with (folder / MARK).open("xb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(fetched)) + b"\n")
        folder.rename(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
