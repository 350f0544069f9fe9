"""Takes of many synthesized words in label folders: all of them, or none."""

import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Final

from edgekws.errors import DataError
from edgekws.specs import UNKNOWN
from edgekws.train.download import Watcher
from edgekws.train.synth import Synthesizer, synthesize_words, write_wav

_LONGEST_NAME: Final = 200  # bytes; file systems take 255
_MARK: Final = "_nohash_"


def word_fault(word: str) -> str | None:
    """Return what is wrong with a word to say, None where nothing is."""
    if not word.strip():
        return "is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in word):
        return "holds control characters or is not UTF-8"
    return None


def label_fault(label: str) -> str | None:
    """Return what is wrong with the name of a label's folder, None where nothing is."""
    if "/" in label or "\\" in label or label.startswith("."):
        return "cannot name a folder: it must hold no / or \\ and start with no ."
    if label.startswith("_") and label != UNKNOWN:
        return f"starts with _, as only reserved labels do; for other words take {UNKNOWN}"
    if len(label.encode("utf-8", "replace")) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} bytes; put long texts into one folder with --into"
    return word_fault(label)


def write_words(
    out: Path,
    words: Sequence[str],
    language: str,
    *,
    takes: int,
    seed: int,
    into: str | None,
    synthesizer: Synthesizer,
    watcher: Watcher,
) -> int:
    """Write out/<word>/<speaker>_nohash_<n>.wav for so many takes of each word; return how many.

    With `into`, all go to that one label's folder; n counts on from the takes that are there.
    Nothing appears before every word has been said. Raises DataError for a language that there
    is not, a word that says nothing, and a disk that fails.
    """
    labels = [into or word for word in words]
    spoken = synthesize_words(words, language, takes=takes, seed=seed, synthesizer=synthesizer)
    total, numbers = takes * len(words), dict[Path, int]()
    try:
        with _aside(out) as aside:
            for done, ((speaker, pcm), label) in enumerate(zip(spoken, cycle(labels)), 1):
                stem = Path(label) / speaker
                number = numbers[stem] if stem in numbers else _next_number(out / stem)
                numbers[stem] = number + 1
                (aside / label).mkdir(exist_ok=True)
                write_wav(aside / label / f"{speaker}{_MARK}{number}.wav", pcm)
                watcher.progress("speaking", done, total)
            _move(aside, out)
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: {error.strerror or error}; mend that and try again"
        ) from error
    return total


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """Make a hidden folder in `out`; on the way out it goes, and `out` too if it holds nothing."""
    out.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".takes-", dir=out))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):
            out.rmdir()


def _next_number(stem: Path) -> int:
    """Return the number after the highest that a speaker's takes in a folder have."""
    if not stem.parent.is_dir():
        return 0
    start = f"{stem.name}{_MARK}"
    taken = (p.stem.removeprefix(start) for p in stem.parent.iterdir() if p.name.startswith(start))
    return max((int(number) + 1 for number in taken if number.isdecimal()), default=0)


def _move(aside: Path, out: Path) -> None:
    for folder in sorted(aside.iterdir()):
        target = out / folder.name
        target.mkdir(exist_ok=True)
        for path in sorted(folder.iterdir()):
            path.rename(target / path.name)
