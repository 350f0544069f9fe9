"""Bundles on disk: open one with every file checked, and find the newest."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from edgekws.bundle.golden import Golden, read_golden
from edgekws.bundle.manifest import MANIFEST, FileEntry, Manifest, ModelFile, decode_manifest
from edgekws.digest import sha256_hex
from edgekws.errors import BundleError

MAX_MANIFEST_BYTES: Final = 1 << 20
AGAIN: Final = "copy or export the bundle again"


class Bundle(msgspec.Struct, frozen=True):
    """A folder whose files were found as the manifest says."""

    path: Path
    manifest: Manifest

    def model_path(self, model_file: ModelFile) -> Path:
        """Return where a model file lies."""
        return self.path / model_file.file.path

    def read(self, entry: FileEntry) -> bytes:
        """Return the bytes of one of its files."""
        return (self.path / entry.path).read_bytes()

    def golden(self) -> Golden:
        """Read the golden vectors; raise BundleError where their shapes are not the model's."""
        path = self.path / self.manifest.golden.path
        golden = read_golden(path)
        _check_golden(path, golden, self.manifest)
        return golden

    def card(self) -> str:
        """Return the model card's text, Markdown."""
        return (self.path / self.manifest.card.path).read_text("utf-8", errors="replace")


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and check the manifest, and the size and sha256 of every file.

    Raises BundleError, naming the file, for anything missing, changed, or leading elsewhere.
    """
    if not path.is_dir():
        raise BundleError(f"{path}: no such bundle folder: `make export` makes one in dist/")
    where = path / MANIFEST
    data = _read_regular(where, limit=MAX_MANIFEST_BYTES)
    manifest = decode_manifest(data, where=where)
    for entry in manifest.files():
        _check_file(path, entry)
    return Bundle(path=path, manifest=manifest)


def newest_bundle(roots: Iterable[Path]) -> Path:
    """Return the bundle folder, directly below one of the roots, whose manifest is newest.

    Of equals the first root's counts. Raises BundleError where there is none.
    """
    searched = list(roots)
    found = [folder for root in searched for folder in bundles_in(root)]
    if not found:
        places = ", ".join(str(root) for root in searched)
        raise BundleError(f"no bundle in {places}: `make export` makes one, or name it by --bundle")
    return max(found, key=lambda folder: (folder / MANIFEST).stat().st_mtime_ns)


def bundles_in(root: Path) -> list[Path]:
    """Return the bundle folders directly below a root; hidden ones are unfinished and left out."""
    folders = sorted(manifest.parent for manifest in root.glob(f"*/{MANIFEST}"))
    return [folder for folder in folders if not folder.name.startswith(".")]


def _check_file(folder: Path, entry: FileEntry) -> None:
    path = folder / entry.path
    data = _read_regular(path, limit=entry.size)
    if len(data) != entry.size:
        raise BundleError(
            f"{path}: {len(data)} bytes, the manifest says {entry.size}: cut off? {AGAIN}"
        )
    if sha256_hex(data) != entry.sha256:
        raise BundleError(f"{path}: its sha256 is not the manifest's, it was changed: {AGAIN}")


def _read_regular(path: Path, *, limit: int) -> bytes:
    """Read a file of at most `limit` bytes that is no link, pipe or device."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: the file is missing: {AGAIN}") from error
    except OSError as error:  # ELOOP: a symbolic link
        raise BundleError(f"{path}: cannot be read as a plain file: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path}: needs to be a plain file: {AGAIN}")
        if status.st_size > limit:
            raise BundleError(f"{path}: {status.st_size} bytes, more than {limit}: {AGAIN}")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(handle)


def _check_golden(path: Path, golden: Golden, manifest: Manifest) -> None:
    """Raise BundleError where an array's shape does not follow from the manifest."""
    model = manifest.model
    frames = model.features.frames(len(golden.pcm))
    rows = frames // model.step_frames * model.scores_per_step
    expected = {"features": (frames, model.features.n_mfcc)}
    expected |= {f"scores {file.key}": (rows, len(model.labels)) for file in manifest.models}
    found = {"features": golden.features.shape}
    found |= {f"scores {key}": scores.shape for key, scores in golden.scores.items()}
    if expected != found or rows < 1:
        raise BundleError(
            f"{path}: golden vectors of shapes {found} where the manifest needs {expected}: {AGAIN}"
        )
