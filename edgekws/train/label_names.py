"""Names of label folders that would be taken for something else than was meant."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from edgekws.errors import DataError
from edgekws.runtime.tree import BACKGROUND
from edgekws.specs import SILENCE, UNKNOWN

RESERVED_FOLDERS: Final = (SILENCE, UNKNOWN, BACKGROUND)


def check_label_names(where: str, names: Sequence[str]) -> None:
    """Raise DataError for the first name that is nearly a reserved one, or spelled like another."""
    for name in names:
        if name not in RESERVED_FOLDERS and (meant := _nearly_reserved(name)):
            raise DataError(
                f"{where}: the label {name!r} is spelled like the reserved {meant!r}; "
                f"rename the folder to {meant!r} if that is meant, else to another word"
            )
        if name.startswith("_") and name not in RESERVED_FOLDERS:
            raise DataError(
                f"{where}: the label {name!r} starts with _, as only {', '.join(RESERVED_FOLDERS)} "
                "do; rename the folder"
            )
    spelled: dict[str, str] = {}
    for name in names:
        other = spelled.setdefault(_plain(name), name)
        if other != name:
            raise DataError(
                f"{where}: the labels {other!r} and {name!r} are spelled alike; "
                "put their recordings into one folder, or name them apart"
            )


def _nearly_reserved(name: str) -> str | None:
    """Return the reserved name of which `name` is another spelling, or one letter away."""
    plain = _plain(name)
    for reserved in RESERVED_FOLDERS:
        if _one_edit_away(plain, _plain(reserved)):
            return reserved
    return None


def _plain(name: str) -> str:
    """Return the letters and digits alone, composed and without case."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in text if letter.isalnum()) or text


def _one_edit_away(a: str, b: str) -> bool:
    """Return whether two words are equal but for one letter changed, added, left out or swapped."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if start is None:
        return True
    one, other = a[start:], b[start:]
    swapped = one[:2] == other[:2][::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]
