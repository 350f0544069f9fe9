"""SHA-256 without OpenSSL: what `import hashlib` loads weighs 3.5 MB, and no device needs it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, cast

_HOMES: Final = ("_sha2", "_sha256", "hashlib")
"""Modules that have `sha256`: Python's own since 3.12, its own before, and the one that is always
there, for an interpreter built without."""

_Hash = Callable[[bytes], Any]


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hex."""
    return str(_SHA256(data).hexdigest())


def find_sha256(homes: tuple[str, ...] = _HOMES) -> _Hash:
    """Return `sha256` of the first of the modules that is there."""
    for home in homes[:-1]:
        try:
            return cast(_Hash, import_module(home).sha256)
        except ImportError:
            continue
    return cast(_Hash, import_module(homes[-1]).sha256)


_SHA256: Final = find_sha256()
