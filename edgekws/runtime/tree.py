"""Recordings to be judged: a folder per label, or one long stream with a table of its commands."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from edgekws.audio.decode import read_audio
from edgekws.errors import DataError
from edgekws.events import Pcm
from edgekws.runtime.evaluate import Truth
from edgekws.specs import RESERVED_LABELS, SILENCE

BACKGROUND: Final = "_background_noise_"  # Speech Commands' folder of long recordings
AUDIO_SUFFIXES: Final = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"}
)
TRUTH_COLUMNS: Final = ("start_seconds", "end_seconds", "label")


def find_clips(data: Path) -> list[tuple[str, Path]]:
    """Return (folder name, audio file) of a tree with a folder per label, in a fixed order.

    Raises DataError where the tree is missing or has no audio in any folder.
    """
    if not data.is_dir():
        raise DataError(f"{data}: no such folder; it should hold a folder of audio per label")
    found = [
        (folder.name, file)
        for folder in sorted(data.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for file in _audio_below(folder)
    ]
    if not found:
        raise DataError(f"{data}: no audio in it; it should hold a folder of audio per label")
    return found


def find_audio(place: Path) -> list[Path]:
    """Return the audio files below a folder, or the one file named; DataError where none is."""
    found = _audio_below(place) if place.is_dir() else [place]
    if not found:
        raise DataError(f"{place}: no audio in it; name a recording, or a folder of some")
    return found


def read_clips(found: Iterable[tuple[str, Path]], *, sample_rate: int) -> Iterator[tuple[str, Pcm]]:
    """Give (label, (n,) int16) of files; background noise comes as silence, a second at a time."""
    for label, path in found:
        pcm = read_audio(path, sample_rate=sample_rate)
        if label != BACKGROUND:
            yield label, pcm
            continue
        for start in range(0, max(1, len(pcm) - sample_rate + 1), sample_rate):
            yield SILENCE, pcm[start : start + sample_rate]


def read_truth(
    path: Path, *, commands: Sequence[str], sample_rate: int, samples: int
) -> list[Truth]:
    """Read a table of the commands in a stream of so many samples: `TRUTH_COLUMNS`, with header.

    Rows of reserved labels say what is no command, and are left out. Raises DataError, naming the
    line, for anything else that is not a command of the bundle within the stream.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
            header = tuple(rows[0]) if rows else _header(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV table: {error}") from error
    if not set(TRUTH_COLUMNS) <= set(header):
        raise DataError(f"{path}: needs the columns {', '.join(TRUTH_COLUMNS)} in its first line")
    truths = []
    for line, row in enumerate(rows, start=2):
        start, end = (_seconds(row[name], f"{path}:{line}: {name}") for name in TRUTH_COLUMNS[:2])
        truth = Truth(round(start * sample_rate), round(end * sample_rate), row["label"])
        if truth.label in RESERVED_LABELS:
            continue
        _check(truth, commands, samples=samples, where=f"{path}:{line}")
        truths.append(truth)
    return truths


def _audio_below(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in AUDIO_SUFFIXES and not file.name.startswith(".")
    ]


def _header(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return tuple(lines[0].split(",")) if lines else ()


def _seconds(text: str | None, where: str) -> float:
    try:
        seconds = float(text or "")
    except ValueError as error:
        raise DataError(f"{where} is {text!r}; write a time in seconds, such as 12.5") from error
    if not (math.isfinite(seconds) and seconds >= 0):
        raise DataError(f"{where} is {text!r}; write a time in seconds from 0 on")
    return seconds


def _check(truth: Truth, commands: Sequence[str], *, samples: int, where: str) -> None:
    if truth.label not in commands:
        raise DataError(f"{where}: no command {truth.label!r}; there is {', '.join(commands)}")
    if not truth.start < truth.end:
        raise DataError(f"{where}: the command ends before it starts; correct the times")
    if truth.start >= samples:
        raise DataError(f"{where}: the command starts after the end of the audio; wrong file?")
