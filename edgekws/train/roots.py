"""Where label folders lie: in the set's own folder, or in one folder per split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from edgekws.errors import DataError
from edgekws.runtime.tree import AUDIO_SUFFIXES
from edgekws.train.split import SplitName

SPLIT_FOLDERS: Final[Mapping[str, SplitName]] = {
    "training": "training",
    "train": "training",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "testing": "testing",
    "test": "testing",
}


class Root(NamedTuple):
    """A folder of label folders, with the split that all of it belongs to, if it has one."""

    path: Path
    split: SplitName | None


def find_roots(data: Path) -> list[Root]:
    """Return the folders that hold label folders; DataError where `data` is no folder.

    A set whose folders are all named after splits, and hold folders, is split already.
    """
    if not data.is_dir():
        raise DataError(
            f"{data}: no such folder; it should hold one folder of recordings per label"
        )
    names = subfolders(data)
    splits = {name: SPLIT_FOLDERS.get(name.casefold()) for name in names}
    if not names or None in splits.values() or any(_holds_audio(data / name) for name in names):
        return [Root(data, None)]
    if not {"training", "validation"} <= set(splits.values()):
        raise DataError(
            f"{data}: is split into {', '.join(names)}; a set that is split by folders needs "
            "training and validation"
        )
    return [Root(data / name, split) for name, split in splits.items()]


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, hidden ones left out."""
    found = (p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted(found)


def _holds_audio(folder: Path) -> bool:
    """Return whether recordings lie in the folder itself: then it is a label."""
    return any(path.suffix.lower() in AUDIO_SUFFIXES for path in folder.iterdir())
