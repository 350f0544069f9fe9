"""Figures of a bundle by the device's own detector: over clips, and over a long stream."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from edgekws.events import Block, Detection, Pcm
from edgekws.runtime.detector import Detector, rows_to_fill
from edgekws.runtime.figures import ClipReport, clip_report
from edgekws.specs import UNKNOWN, ModelSpec, Spec

TOLERANCE_SECONDS: Final = 1.0  # a command may be detected until so long after its end


class ClipAnswer(msgspec.Struct, frozen=True):
    """What a clip was taken for, with the posterior of every label."""

    label: str
    score: float
    scores: dict[str, float]


class Truth(msgspec.Struct, frozen=True):
    """A command that is in a stream from sample `start` up to sample `end`."""

    start: int
    end: int
    label: str


class Matches(msgspec.Struct, frozen=True):
    """Detections and truths, each of them in exactly one place."""

    hits: tuple[tuple[Detection, Truth], ...]
    missed: tuple[Truth, ...]
    duplicates: tuple[Detection, ...]
    false_accepts: tuple[Detection, ...]

    def commands(self) -> dict[str, int]:
        """Return how often each label was said, hit or missed."""
        said = [*(truth.label for _, truth in self.hits), *(truth.label for truth in self.missed)]
        return {label: said.count(label) for label in sorted(set(said))}


class Delay(Spec, frozen=True):
    """Seconds from a command's end to its detection; null where nothing was hit."""

    p50: float | None
    p95: float | None


class StreamReport(Spec, frozen=True):
    """What `edgekws eval --stream` prints; `hours` is the length of the audio."""

    miss_rate: dict[str, float]
    false_accepts_per_hour: float
    delay_seconds: Delay
    hours: float
    commands: dict[str, int]
    detections: int
    false_accepts: dict[str, int]
    duplicates: int


def classify_clip(detector: Detector, pcm: Pcm) -> ClipAnswer:
    """Return the answer for one clip, padded evenly with zeros where it is shorter than a window.

    Of the rows whose window is full, the one that is surest of some command decides.
    """
    model = detector.model
    scores = detector.scores(fill_window(model, pcm))[rows_to_fill(model) - 1 :]
    commands = [model.labels.index(label) for label in model.commands]
    row = scores[int(scores[:, commands].max(axis=1).argmax())]
    best = int(row.argmax())
    named = {label: float(p) for label, p in zip(model.labels, row, strict=True)}
    return ClipAnswer(model.labels[best], float(row[best]), named)


def evaluate_clips(
    detector: Detector,
    clips: Iterable[tuple[str, Pcm]],
    *,
    language_of: Callable[[str], str] | None = None,
) -> ClipReport:
    """Return the figures over (truth, pcm) pairs; foreign truths count as `_unknown_`.

    `language_of` a command splits them by language.
    """
    labels = detector.model.labels
    truths, answers = [], []
    for truth, pcm in clips:
        truths.append(truth if truth in labels else UNKNOWN)
        answers.append(classify_clip(detector, pcm).label)
    return clip_report(truths, answers, labels, language_of=language_of)


def detect_all(detector: Detector, pcm: Pcm) -> list[Detection]:
    """Return the detections of a whole recording from a fresh start, in order."""
    detector.reset()
    return detector.push(Block(pcm, 0, detector.model.features.sample_rate))


def blocks(pcm: Pcm, *, sample_rate: int, samples: int) -> Iterator[Block]:
    """Cut (n,) samples into blocks of at most `samples`."""
    for at in range(0, len(pcm), samples):
        yield Block(pcm[at : at + samples], at, sample_rate)


def match_detections(
    detections: Sequence[Detection], truths: Sequence[Truth], *, tolerance_samples: int
) -> Matches:
    """Pair each command with its label's first detection from its start to its end + tolerance.

    Each truth is matched once, the one that ends first before others. A further detection of the
    right label there is a duplicate; every other detection is a false accept.
    """
    ordered = sorted(truths, key=lambda truth: (truth.end, truth.start))
    starts = np.array([truth.start for truth in ordered], np.int64)
    lasts = np.array([truth.end + tolerance_samples for truth in ordered], np.int64)
    labels = np.array([truth.label for truth in ordered], object)
    free = np.ones(len(ordered), np.bool_)
    hits, duplicates, false_accepts = [], [], []
    for found in sorted(detections, key=lambda detection: detection.sample):
        fitting = (starts <= found.sample) & (found.sample <= lasts) & (labels == found.label)
        if not fitting.any():
            false_accepts.append(found)
        elif not (fitting & free).any():
            duplicates.append(found)
        else:
            first = int(np.argmax(fitting & free))
            hits.append((found, ordered[first]))
            free[first] = False
    missed = [truth for truth, unmatched in zip(ordered, free, strict=True) if unmatched]
    return Matches(tuple(hits), tuple(missed), tuple(duplicates), tuple(false_accepts))


def evaluate_stream(detector: Detector, pcm: Pcm, truths: Sequence[Truth]) -> StreamReport:
    """Return miss rates, false accepts per hour and delays over one long recording."""
    rate = detector.model.features.sample_rate
    detections = detect_all(detector, pcm)
    matches = match_detections(
        detections, truths, tolerance_samples=round(TOLERANCE_SECONDS * rate)
    )
    return stream_report(matches, samples=len(pcm), sample_rate=rate)


def miss_rates(matches: Matches) -> dict[str, float]:
    """Return the share of each label's commands that were missed."""
    missed = [truth.label for truth in matches.missed]
    return {label: missed.count(label) / count for label, count in matches.commands().items()}


def stream_report(matches: Matches, *, samples: int, sample_rate: int) -> StreamReport:
    """Return the figures of matches over so many samples of audio."""
    wrong = [detection.label for detection in matches.false_accepts]
    hours = samples / sample_rate / 3600
    delays = [(found.sample - truth.end) / sample_rate for found, truth in matches.hits]
    return StreamReport(
        miss_rate=miss_rates(matches),
        false_accepts_per_hour=len(wrong) / hours if hours else 0.0,
        delay_seconds=Delay(p50=_percentile(delays, 50), p95=_percentile(delays, 95)),
        hours=hours,
        commands=matches.commands(),
        detections=len(matches.hits) + len(matches.duplicates) + len(wrong),
        false_accepts={label: wrong.count(label) for label in sorted(set(wrong))},
        duplicates=len(matches.duplicates),
    )


def _percentile(values: Sequence[float], percent: int) -> float | None:
    return float(np.percentile(values, percent)) if values else None


def fill_window(model: ModelSpec, pcm: Pcm) -> Pcm:
    """Return at least the samples of one full window, the clip in their middle."""
    steps = -(-rows_to_fill(model) // model.scores_per_step)
    lacking = max(0, model.features.samples(steps * model.step_frames) - len(pcm))
    return np.pad(pcm, (lacking // 2, lacking - lacking // 2))
