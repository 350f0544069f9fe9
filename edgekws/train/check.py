"""Everything a person must know about a set of recordings before training on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from edgekws.audio.decode import AudioFormat, read_audio, read_format
from edgekws.errors import DataError
from edgekws.specs import RESERVED_LABELS
from edgekws.train import copies
from edgekws.train.data_figures import DataLine, LabelLine, data_line, label_line
from edgekws.train.dataset import Clip, Folders, Plan, list_audio, plan_corpus
from edgekws.train.findings import (
    Examined,
    Finding,
    bad_takes,
    by_label,
    examine,
    few_recordings,
    finding_of,
    no_speech,
    shown,
)
from edgekws.train.measure import RATE
from edgekws.train.pretrained import Base
from edgekws.train.progress import Reporter
from edgekws.train.recipe_data import DataRecipe
from edgekws.train.roots import subfolders
from edgekws.train.split import Recording, SplitName
from edgekws.train.suspects import suspected


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is asked for: the recordings of a training, those kept apart, and a base to judge by.

    `heldout` are folders of label folders that are never learned from; without a `base` nobody
    looks for wrong labels.
    """

    folders: Folders
    recipe: DataRecipe
    commands: tuple[str, ...] = ()
    heldout: tuple[Path, ...] = ()
    base: Base | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: a line per label, the findings, faults first, and the set in one line."""

    labels: tuple[LabelLine, ...]
    findings: tuple[Finding, ...]
    data: DataLine


@dataclass(frozen=True, slots=True)
class _Reading:
    """What could be read: speech, noise, formats, and a finding about what could not."""

    spoken: list[Examined]
    noise_samples: int
    formats: list[AudioFormat]
    unreadable: list[Finding]


def inspect(task: Inspection, reporter: Reporter) -> Verdict:
    """Read and judge every recording. DataError where folders or names are at fault already."""
    plan = plan_corpus(task.folders, commands=task.commands, recipe=task.recipe)
    for folder in task.heldout:
        plan = _with_heldout(plan, folder)
    reading = _read(plan, reporter)
    spoken = reading.spoken
    reporter.say("looking for copies")
    pairs = copies.all_copies(spoken)
    found = chain(
        reading.unreadable,
        copies.speakers(spoken),
        copies.in_two_splits(pairs),
        copies.in_two_labels(pairs, spoken, strict=True),
        no_speech(spoken),
        few_recordings(spoken),
        bad_takes(spoken),
        copies.repeated(pairs),
        _suspects(spoken, task.base, reporter),
    )
    findings = tuple(sorted(found, key=lambda finding: finding.severity != "fault"))
    labels = tuple(label_line(label, own, findings) for label, own in by_label(spoken).items())
    data = data_line(
        spoken,
        reading.formats,
        findings,
        noise_samples=reading.noise_samples,
        speaker_disjoint=plan.speaker_disjoint,
    )
    return Verdict(labels, findings, data)


def _with_heldout(plan: Plan, folder: Path) -> Plan:
    """Return the plan with the commands of another folder in it, kept apart from all training."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one with a folder of recordings per label")
    names = subfolders(folder)
    known = [label for label in plan.labels if label in names]
    own = [
        Recording(path, label, label, "testing")
        for label in known
        if label not in RESERVED_LABELS
        for path in list_audio(folder / label)
    ]
    if not own:
        raise DataError(f"{folder}: holds no recordings of {', '.join(plan.labels[2:])}")
    noise = plan.recordings[plan.spoken :]
    apart: list[SplitName] = ["testing"] * len(own)
    return replace(
        plan,
        recordings=(*plan.recordings[: plan.spoken], *own, *noise),
        splits=(*plan.splits[: plan.spoken], *apart, *plan.splits[plan.spoken :]),
        spoken=plan.spoken + len(own),
    )


def _read(plan: Plan, reporter: Reporter) -> _Reading:
    reading, total = _Reading([], 0, [], []), len(plan.recordings)
    noise_samples = 0
    for done, (recording, split) in enumerate(zip(plan.recordings, plan.splits, strict=True), 1):
        reporter.progress("reading recordings", done, total)
        try:
            pcm = read_audio(recording.path, sample_rate=RATE)
        except DataError as error:
            reading.unreadable.append(_unreadable(recording, str(error)))
            continue
        reading.formats.append(read_format(recording.path))
        if done > plan.spoken:
            noise_samples += len(pcm)
        else:
            clip = Clip(pcm, recording.label, recording.group, split, recording.path)
            reading.spoken.append(examine(clip))
    return replace(reading, noise_samples=noise_samples)


def _unreadable(recording: Recording, message: str) -> Finding:
    return Finding(
        severity="fault",
        kind="unreadable",
        label=recording.label,
        message=message,
        files=(str(recording.path),),
    )


def _suspects(
    examined: Sequence[Examined], base: Base | None, reporter: Reporter
) -> Iterator[Finding]:
    """Warn of the recordings of each label that sound like another one."""
    if base is None:
        return
    reporter.say(f"looking for wrong labels with {base.run.name}")
    heard = suspected(examined, base)
    for label, own in by_label(one for one, _ in heard).items():
        texts = [f"{one.name} ({other}?)" for one, other in heard if one.clip.label == label]
        yield finding_of(
            "warning",
            "suspect",
            own,
            f"{len(own)} recordings sound like another label: {shown(texts)}; listen to them",
        )
