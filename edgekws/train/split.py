"""Who is learned from and who is checked with: stable splits by speaker, or by clip."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

from edgekws.train.recipe_data import DataRecipe

SplitName = Literal["training", "validation", "testing"]
_HASH_STEPS: Final = 2**27 - 1  # as Speech Commands' own which_set() has it
_Key = TypeVar("_Key", str, Path)


class Recording(NamedTuple):
    """One file of a corpus: where it lies, the class it is for, the folder it came from.

    `split` is given where the set is split by folders already.
    """

    path: Path
    label: str
    group: str
    split: SplitName | None = None


def speaker_of(path: Path) -> str | None:
    """Return the speaker that a file name states as `<speaker>_nohash_<n>`, else None."""
    speaker, separator, _ = path.stem.partition("_nohash_")
    return speaker if separator and speaker else None


def split_of(key: str, recipe: DataRecipe) -> SplitName:
    """Return the split of a speaker (or clip), stable for ever.

    The rule is Speech Commands' own (Warden 2018): its sets stay what they are.
    """
    percent = _rank(key) % (_HASH_STEPS + 1) * (100.0 / _HASH_STEPS)
    if percent < recipe.validation_percent:
        return "validation"
    within = percent < recipe.validation_percent + recipe.test_percent
    return "testing" if within else "training"


def split_commands(
    recordings: Sequence[Recording], recipe: DataRecipe
) -> tuple[list[SplitName], bool]:
    """Return the split of every command recording, and whether no speaker is in two of them.

    Tried in turn until every label has recordings in training and in validation: speakers by the
    stable rule, the same share of speakers in the order of their hashes, the same share of each
    label's clips. The last always succeeds for labels of two or more clips. A set that is split by
    folders stays as it is.
    """
    given = [recording.split for recording in recordings if recording.split]
    if recordings and len(given) == len(recordings):
        return given, _apart(recordings, given)
    speakers = [speaker_of(recording.path) for recording in recordings]
    if all(speakers):
        named = [speaker or "" for speaker in speakers]
        held = _first(set(named), recipe, key=str)
        for splits in (
            [split_of(name, recipe) for name in named],
            [_held_or_not(name in held) for name in named],
        ):
            if _covers(recordings, splits):
                return splits, True
    chosen: set[Path] = set()
    for label in {recording.label for recording in recordings}:
        own = {recording.path for recording in recordings if recording.label == label}
        chosen |= _first(own, recipe, key=lambda path: path.name)
    return [_held_or_not(recording.path in chosen) for recording in recordings], False


def _apart(recordings: Sequence[Recording], splits: Sequence[SplitName]) -> bool:
    """Return whether every recording names its speaker, and no speaker is in two splits."""
    pairs = {(speaker_of(r.path), split) for r, split in zip(recordings, splits, strict=True)}
    names = [speaker for speaker, _ in pairs]
    return None not in names and len(set(names)) == len(names)


def _first(keys: Iterable[_Key], recipe: DataRecipe, *, key: Callable[[_Key], str]) -> set[_Key]:
    """Return the share of keys that is held out, at least one and not all."""
    ordered = sorted(keys, key=lambda item: (_rank(key(item)), str(item)))
    wanted = round(len(ordered) * recipe.validation_percent / 100)
    return set(ordered[: max(1, min(wanted, len(ordered) - 1))])


def _covers(recordings: Sequence[Recording], splits: Sequence[SplitName]) -> bool:
    """Return whether every label is in training and in validation."""
    pairs = {(r.label, split) for r, split in zip(recordings, splits, strict=True)}
    labels = {recording.label for recording in recordings}
    return all({(label, "training"), (label, "validation")} <= pairs for label in labels)


def _held_or_not(held: bool) -> SplitName:
    return "validation" if held else "training"


def _rank(key: str) -> int:
    return int(hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest(), 16)
