"""Recordings of near misses on disk: encrypted, bounded in size and age."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from edgekws.audio.extras import load_extra
from edgekws.errors import ConfigError, DataError
from edgekws.events import Pcm
from edgekws.specs import Spec

KEY_BYTES: Final = 32  # AES-256
_NONCE_BYTES: Final = 12
_MAGIC: Final = b"EKWC1"
_NAME: Final = re.compile(r"(?P<id>\d{8}T\d{6}Z-\d{1,9})(?P<said>\.labelled)?\.capture", re.ASCII)
_TIME: Final = "%Y%m%dT%H%M%SZ"


class Capture(Spec, frozen=True):
    """What is known of a recording; `said` is what a person labelled it, "" before that."""

    id: str
    label: str
    peak: float
    on: float
    sample: int
    sample_rate: int
    said: str = ""


class _File(msgspec.Struct, frozen=True):
    """A recording's file."""

    path: Path
    id: str
    labelled: bool
    size: int

    @property
    def made(self) -> datetime:
        return datetime.strptime(self.id.partition("-")[0], _TIME).replace(tzinfo=UTC)


class CaptureStore:
    """One folder of recordings under one key.

    A file is AES-256-GCM over a line of JSON and int16 samples, bound to its id: what was changed,
    exchanged or cut does not open.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        """Open the folder; MissingExtraError without the package `cryptography`."""
        self._folder = folder
        self._cipher = _cipher(key)

    def put(self, capture: Capture, pcm: Pcm) -> None:
        """Write a recording, or write it anew with another label."""
        labelled = ".labelled" if capture.said else ""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{capture.id}{labelled}.capture"
        plain = msgspec.json.encode(capture) + b"\n" + pcm.astype("<i2").tobytes()
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _MAGIC + nonce + self._cipher.encrypt(nonce, plain, capture.id.encode())
        _write(path, sealed)
        for other in self._files():
            if other.id == capture.id and other.path != path:
                other.path.unlink()

    def get(self, number: str) -> tuple[Capture, Pcm]:
        """Return a recording; DataError where there is none, or it does not open."""
        return self._open(self._found(number)[0])

    def captures(self) -> list[Capture]:
        """Return what there is, oldest first; DataError where one does not open."""
        return [self._open(file)[0] for file in self._files()]

    def delete(self, number: str) -> None:
        """Remove a recording; DataError where there is none."""
        for file in self._found(number):
            file.path.unlink()

    def make_room(self, size: int, *, max_bytes: int, max_days: float, now: datetime) -> bool:
        """Remove what is too old, and the oldest without a label; return whether size fits then."""
        files = list(self._files())
        old = [file for file in files if now - file.made > timedelta(days=max_days)]
        kept = [file for file in files if file not in old]
        spare = [file for file in kept if not file.labelled]
        total = size + sum(file.size for file in kept)
        while total > max_bytes and spare:
            old.append(spare.pop(0))
            total -= old[-1].size
        for file in old:
            with suppress(FileNotFoundError):
                file.path.unlink()
        return total <= max_bytes

    def _found(self, number: str) -> list[_File]:
        found = [file for file in self._files() if file.id == number]
        if not found:
            raise DataError(f"{self._folder}: no recording {number!r}; `captures list` names them")
        return found

    def _files(self) -> Iterator[_File]:
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            found = _NAME.fullmatch(path.name)
            if found is not None:
                with suppress(FileNotFoundError, ValueError):
                    file = _File(path, found["id"], bool(found["said"]), path.stat().st_size)
                    _ = file.made  # a name that is no time is none of ours
                    yield file

    def _open(self, file: _File) -> tuple[Capture, Pcm]:
        from cryptography.exceptions import InvalidTag

        data = file.path.read_bytes()
        nonce, sealed = data[len(_MAGIC) :][:_NONCE_BYTES], data[len(_MAGIC) + _NONCE_BYTES :]
        try:
            plain = self._cipher.decrypt(nonce, sealed, file.id.encode())
            head, _, samples = plain.partition(b"\n")
            capture = msgspec.json.decode(head, type=Capture)
        except (InvalidTag, ValueError, msgspec.DecodeError) as error:
            raise DataError(
                f"{file.path}: does not open: it is damaged, or the key is another; delete the file"
            ) from error
        return capture, np.frombuffer(samples, "<i2").astype(np.int16)


def capture_id(number: int, now: datetime) -> str:
    """Return the id of a near miss's recording."""
    return f"{now.astimezone(UTC).strftime(_TIME)}-{number}"


def read_key(path: Path, *, create: bool = False) -> bytes:
    """Read the key, or make it where there is none.

    Raises ConfigError where it is not there, is no key, or others than its owner can read it.
    """
    if create and not path.exists():
        with suppress(FileExistsError):
            _make_key(path)
    try:
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read the key; chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path}: a key has {KEY_BYTES} bytes, this has {len(key)}")
    return key


def _make_key(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, os.urandom(KEY_BYTES))
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be made: {error.strerror}") from error


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, from its first byte on."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(data)


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        _write_new(new, data)
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def _cipher(key: bytes) -> Any:
    purpose = "[captures] in listen.toml"
    library = load_extra(
        "cryptography.hazmat.primitives.ciphers.aead", extra="captures", purpose=purpose
    )
    return library.AESGCM(key)
