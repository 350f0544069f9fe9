"""Folders of recordings become clips with a class and a split."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekws.audio.decode import read_audio
from edgekws.errors import DataError
from edgekws.events import Pcm
from edgekws.runtime.tree import AUDIO_SUFFIXES, BACKGROUND
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.label_names import check_label_names
from edgekws.train.recipe_data import DataRecipe
from edgekws.train.roots import Root, find_roots, subfolders
from edgekws.train.split import Recording, SplitName, speaker_of, split_commands, split_of

ReadingProgress = Callable[[int, int], None]
HARD_NEGATIVES = "hard negatives"
"""Their group, whatever the folder is called: groups share the examples by the recipe's `balance`,
so that a few of them are not lost among thousands of other words."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: `pcm` is (n,) int16, `group` its folder, `path` None where none was read."""

    pcm: Pcm
    label: str
    group: str
    split: SplitName
    path: Path | None = None


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
    hard_negatives: tuple[Path, ...] = ()
    """Other words too, but only to learn from: they were chosen because a model took them wrong."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which recordings a run takes, with the split of each, before any of them is read.

    `recordings` holds the `spoken` ones first, then noise.
    """

    labels: tuple[str, ...]
    recordings: tuple[Recording, ...]
    splits: tuple[SplitName, ...]
    spoken: int
    speaker_disjoint: bool


def list_audio(folder: Path) -> list[Path]:
    """Return the audio files under a folder, sorted; DataError where there is no such folder."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that holds recordings")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)


def plan_corpus(folders: Folders, *, commands: Sequence[str], recipe: DataRecipe) -> Plan:
    """List every recording. With no `commands` each folder that is not reserved is one.

    Raises DataError for missing or empty folders, names that are nearly reserved ones, and commands
    with fewer than two recordings.
    """
    roots = find_roots(folders.data)
    names = _label_folders(roots)
    wanted = tuple(commands) or tuple(name for name in names if not name.startswith("_"))
    _require_folders(folders.data, wanted, names)
    own = [r for name in wanted for r in _recordings_of(roots, name)]
    others = list(_other_recordings(folders, roots, wanted, names))
    noise = list(_noise_recordings(folders, roots))
    splits, disjoint = split_commands(own, recipe)
    known = _split_of_speakers(own, splits) if disjoint else {}
    splits += [
        r.split or known.get(speaker_of(r.path)) or _split_by_name(r.path, recipe)
        for r in others + noise
    ]
    labels, recordings = (SILENCE, UNKNOWN, *wanted), tuple(own + others + noise)
    return Plan(labels, recordings, tuple(splits), len(own) + len(others), disjoint)


def load_corpus(
    folders: Folders,
    *,
    commands: Sequence[str],
    recipe: DataRecipe,
    sample_rate: int,
    progress: ReadingProgress,
) -> Corpus:
    """Read every recording; DataError as by `plan_corpus`, and for files that cannot be read."""
    plan, clips = plan_corpus(folders, commands=commands, recipe=recipe), []
    for done, (recording, split) in enumerate(
        zip(plan.recordings, plan.splits, strict=True), start=1
    ):
        pcm = read_audio(recording.path, sample_rate=sample_rate)
        clips.append(Clip(pcm, recording.label, recording.group, split, recording.path))
        progress(done, len(plan.recordings))
    spoken, noise = tuple(clips[: plan.spoken]), tuple(clips[plan.spoken :])
    return Corpus(plan.labels, spoken, noise, plan.speaker_disjoint)


def _label_folders(roots: Sequence[Root]) -> list[str]:
    """Return the names of the label folders, those of all splits together."""
    names = {name for root in roots for name in subfolders(root.path)}
    if not names:
        where = roots[0].path
        raise DataError(
            f"{where}: holds no label folders; make one per command, e.g. {where / 'on'}"
        )
    return sorted(names)


def _require_folders(data: Path, wanted: Sequence[str], names: Sequence[str]) -> None:
    check_label_names(str(data), (*names, *(label for label in wanted if label not in names)))
    missing = [label for label in wanted if label not in names]
    if missing:
        raise DataError(f"{data}: no folder for {', '.join(missing)}; it holds {', '.join(names)}")
    if not wanted:
        raise DataError(f"{data}: holds only reserved folders; add one folder per command")


def _recordings_of(roots: Sequence[Root], label: str) -> list[Recording]:
    found = [
        Recording(path, label, label, root.split)
        for root in roots
        for path in _audio_if_any(root.path / label)
    ]
    if len(found) < 2:
        raise DataError(
            f"{roots[0].path / label}: {len(found)} recording(s); a command needs two or more, one "
            "to learn from and one to check with"
        )
    for needed in ("training", "validation"):
        if roots[0].split and needed not in {recording.split for recording in found}:
            raise DataError(
                f"{roots[0].path.parent}: no recordings of {label!r} for {needed}; add some, "
                "or put all splits into one folder per label"
            )
    return found


def _other_recordings(
    folders: Folders, roots: Sequence[Root], wanted: Sequence[str], names: Sequence[str]
) -> Iterator[Recording]:
    """Give what counts as other words: `_unknown_`, folders that are not wanted, and --unknown."""
    for name in names:
        if name not in (SILENCE, BACKGROUND, *wanted):
            for root in roots:
                for path in _audio_if_any(root.path / name):
                    yield Recording(path, UNKNOWN, name, root.split)
    for folder in folders.unknown:
        for path in list_audio(folder):
            yield Recording(path, UNKNOWN, path.parent.name)
    for folder in folders.hard_negatives:
        for path in list_audio(folder):
            yield Recording(path, UNKNOWN, HARD_NEGATIVES, "training")


def _noise_recordings(folders: Folders, roots: Sequence[Root]) -> Iterator[Recording]:
    for name in (SILENCE, BACKGROUND):
        for root in roots:
            for path in _audio_if_any(root.path / name):
                yield Recording(path, SILENCE, path.parent.name, root.split)
    for folder in folders.noise:
        for path in list_audio(folder):
            yield Recording(path, SILENCE, path.parent.name)


def _audio_if_any(folder: Path) -> list[Path]:
    return list_audio(folder) if folder.is_dir() else []


def _split_of_speakers(
    recordings: Sequence[Recording], splits: Sequence[SplitName]
) -> dict[str | None, SplitName]:
    """Return where each speaker of the commands is, so that their other words go there too."""
    return {speaker_of(r.path): split for r, split in zip(recordings, splits, strict=True)}


def _split_by_name(path: Path, recipe: DataRecipe) -> SplitName:
    return split_of(speaker_of(path) or re.sub(r"\W", "", path.stem), recipe)
