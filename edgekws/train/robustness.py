"""How well a bundle hears what has been through noise, rooms, lines and codecs: a table."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from edgekws.events import Pcm
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import evaluate_clips
from edgekws.specs import Spec
from edgekws.train.degrade import conditions
from edgekws.tuning.intervals import Rate, share


class Row(Spec, frozen=True):
    """Figures under one condition; `points_lost` are points of accuracy below the clean clips."""

    condition: str
    accuracy: Rate
    macro_f1: float
    points_lost: float
    clips: int
    note: str


def robustness(
    detector: Detector, clips: Sequence[tuple[str, Pcm]], noise: list[Pcm], *, seed: int
) -> Iterator[Row]:
    """Give the rows of the table, clean first, through the detector of a device.

    `clips` are (label, (n,) int16); equal seeds give equal audio. MissingExtraError without
    soundfile or soxr.
    """
    rate = detector.model.features.sample_rate
    labels, audio = [label for label, _ in clips], [pcm for _, pcm in clips]
    clean: float | None = None
    for number, condition in enumerate(conditions(noise, sample_rate=rate)):
        degraded = condition.apply(audio, np.random.default_rng([seed, number]))
        report = evaluate_clips(detector, zip(labels, degraded.clips, strict=True))
        clean = report.accuracy if clean is None else clean
        yield Row(
            condition=condition.name,
            accuracy=share(round(report.accuracy * report.clips), report.clips),
            macro_f1=report.macro_f1,
            points_lost=100 * (clean - report.accuracy),
            clips=report.clips,
            note=degraded.note,
        )


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """Give the lines of the table as a card holds them."""
    yield "| condition | accuracy (95 %) | macro F1 | points below clean |"
    yield "|---|---|---|---|"
    for row in rows:
        name = f"{row.condition} ({row.note})" if row.note else row.condition
        yield (
            f"| {name} | {row.accuracy.text('.2%')} | {row.macro_f1:.2%} | {row.points_lost:.2f} |"
        )
