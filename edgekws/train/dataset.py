"""Folders of recordings become clips with a class and a split."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekws.audio.decode import read_audio
from edgekws.errors import DataError
from edgekws.events import Pcm
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.recipe_data import DataRecipe
from edgekws.train.split import Recording, SplitName, speaker_of, split_commands, split_of

BACKGROUND: Final = "_background_noise_"
AUDIO_SUFFIXES: Final = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"}
)
ReadingProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: `pcm` is (n,) int16, `group` is the folder it came from."""

    pcm: Pcm
    label: str
    group: str
    split: SplitName


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything a run trains and validates on; `labels` has the reserved ones first."""

    labels: tuple[str, ...]
    clips: tuple[Clip, ...]
    noise: tuple[Clip, ...]
    speaker_disjoint: bool

    def of(self, split: SplitName) -> list[Clip]:
        """Return the clips of one split."""
        return [clip for clip in self.clips if clip.split == split]

    def noise_of(self, split: SplitName) -> list[Pcm]:
        """Return the noise recordings of one split; all of them where the split has none."""
        chosen = [clip.pcm for clip in self.noise if clip.split == split]
        return chosen or [clip.pcm for clip in self.noise]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the recordings lie: commands, and more folders of other words and of noise."""

    data: Path
    unknown: tuple[Path, ...] = ()
    noise: tuple[Path, ...] = ()


def list_audio(folder: Path) -> list[Path]:
    """Return the audio files under a folder, sorted; DataError where there is no such folder."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that holds recordings")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)


def load_corpus(
    folders: Folders,
    *,
    commands: Sequence[str],
    recipe: DataRecipe,
    sample_rate: int,
    progress: ReadingProgress,
) -> Corpus:
    """Read every recording. With no `commands` each folder that is not reserved is one.

    Raises DataError for missing or empty folders, unreadable files, and commands with fewer than
    two recordings.
    """
    names = _label_folders(folders.data)
    wanted = tuple(commands) or tuple(name for name in names if not name.startswith("_"))
    _require_folders(folders.data, wanted, names)
    own = [r for name in wanted for r in _recordings_of(folders.data / name, name)]
    others = list(_other_recordings(folders, wanted, names))
    noise = [
        Recording(path, SILENCE, path.parent.name)
        for folder in _noise_folders(folders)
        for path in list_audio(folder)
    ]
    splits, disjoint = split_commands(own, recipe)
    known = _split_of_speakers(own, splits) if disjoint else {}
    splits += [
        known.get(speaker_of(recording.path)) or _split_by_name(recording.path, recipe)
        for recording in others + noise
    ]
    everything, clips = own + others + noise, []
    for done, (recording, split) in enumerate(zip(everything, splits, strict=True)):
        pcm = read_audio(recording.path, sample_rate=sample_rate)
        clips.append(Clip(pcm, recording.label, recording.group, split))
        progress(done + 1, len(everything))
    spoken = len(own) + len(others)
    labels = (SILENCE, UNKNOWN, *wanted)
    return Corpus(labels, tuple(clips[:spoken]), tuple(clips[spoken:]), disjoint)


def _label_folders(data: Path) -> list[str]:
    if not data.is_dir():
        raise DataError(
            f"{data}: no such folder; it should hold one folder of recordings per label"
        )
    names = sorted(p.name for p in data.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        raise DataError(f"{data}: holds no label folders; make one per command, e.g. {data / 'on'}")
    return names


def _require_folders(data: Path, wanted: Sequence[str], names: Sequence[str]) -> None:
    missing = [label for label in wanted if label not in names]
    if missing:
        raise DataError(f"{data}: no folder for {', '.join(missing)}; it holds {', '.join(names)}")
    if not wanted:
        raise DataError(f"{data}: holds only reserved folders; add one folder per command")


def _recordings_of(folder: Path, label: str) -> list[Recording]:
    files = list_audio(folder)
    if len(files) < 2:
        raise DataError(
            f"{folder}: {len(files)} recording(s); a command needs two or more, one to learn from "
            "and one to check with"
        )
    return [Recording(path, label, label) for path in files]


def _other_recordings(
    folders: Folders, wanted: Sequence[str], names: Sequence[str]
) -> Iterator[Recording]:
    """Give what counts as other words: `_unknown_`, folders that are not wanted, and --unknown."""
    for name in names:
        if name not in (SILENCE, BACKGROUND, *wanted):
            for path in list_audio(folders.data / name):
                yield Recording(path, UNKNOWN, name)
    for folder in folders.unknown:
        for path in list_audio(folder):
            yield Recording(path, UNKNOWN, path.parent.name)


def _noise_folders(folders: Folders) -> list[Path]:
    own = [folders.data / name for name in (SILENCE, BACKGROUND)]
    return [folder for folder in own if folder.is_dir()] + list(folders.noise)


def _split_of_speakers(
    recordings: Sequence[Recording], splits: Sequence[SplitName]
) -> dict[str | None, SplitName]:
    """Return where each speaker of the commands is, so that their other words go there too."""
    return {speaker_of(r.path): split for r, split in zip(recordings, splits, strict=True)}


def _split_by_name(path: Path, recipe: DataRecipe) -> SplitName:
    return split_of(speaker_of(path) or re.sub(r"\W", "", path.stem), recipe)
