"""A set of recordings in figures: a line per label, and one for all of it."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from edgekws.audio.decode import AudioFormat
from edgekws.specs import Spec
from edgekws.train.findings import Examined, Finding
from edgekws.train.measure import RATE


class LabelLine(Spec, frozen=True):
    """One label in figures; `speakers` counts those that are named, `level_db` is a median."""

    label: str
    clips: int
    training: int
    validation: int
    testing: int
    speakers: int
    seconds: float
    median_seconds: float
    level_db: float
    findings: dict[str, int]


class DataLine(Spec, frozen=True):
    """The whole set; the dicts count recordings by format."""

    clips: int
    speakers: int
    seconds: float
    noise_seconds: float
    split: str
    sample_rates: dict[str, int]
    channels: dict[str, int]
    encodings: dict[str, int]
    faults: int
    warnings: int


def label_line(label: str, own: Sequence[Examined], findings: Sequence[Finding]) -> LabelLine:
    """Return the figures of the recordings of one label."""
    splits = Counter(one.clip.split for one in own)
    seconds = np.array([one.measures.samples / RATE for one in own])
    files = {one.file for one in own}
    counts = Counter({f.kind: len(files & set(f.files)) for f in findings if f.label == label})
    return LabelLine(
        label=label,
        clips=len(own),
        training=splits["training"],
        validation=splits["validation"],
        testing=splits["testing"],
        speakers=len({one.speaker for one in own} - {None}),
        seconds=round(float(seconds.sum()), 2),
        median_seconds=round(float(np.median(seconds)), 2),
        level_db=round(float(np.median([one.measures.loudest_db for one in own])), 1),
        findings={kind: count for kind, count in counts.items() if count},
    )


def data_line(
    spoken: Sequence[Examined],
    formats: Sequence[AudioFormat],
    findings: Sequence[Finding],
    *,
    noise_samples: int,
    speaker_disjoint: bool,
) -> DataLine:
    """Return the figures of the whole set."""
    faults = sum(finding.severity == "fault" for finding in findings)
    samples = sum(one.measures.samples for one in spoken)
    return DataLine(
        clips=len(spoken),
        speakers=len({one.speaker for one in spoken} - {None}),
        seconds=round(samples / RATE, 2),
        noise_seconds=round(noise_samples / RATE, 2),
        split="speaker-disjoint" if speaker_disjoint else "clip-disjoint",
        sample_rates=_counted(str(found.sample_rate) for found in formats),
        channels=_counted(str(found.channels) for found in formats),
        encodings=_counted(found.encoding for found in formats),
        faults=faults,
        warnings=len(findings) - faults,
    )


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
