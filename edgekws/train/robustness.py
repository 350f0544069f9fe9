"""How well a bundle hears what has been through noise, rooms, lines and codecs: a table."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import mean

import numpy as np

from edgekws.events import Pcm
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import evaluate_clips
from edgekws.runtime.figures import ClipReport
from edgekws.specs import Spec
from edgekws.train.degrade import conditions
from edgekws.tuning.intervals import Rate, share


class Row(Spec, frozen=True):
    """Figures under one condition; `points_lost` are points of accuracy below the clean clips.

    All are means over the draws of noise or rooms; `lost_by_draw` has the points of each.
    """

    condition: str
    accuracy: Rate
    macro_f1: float
    points_lost: float
    lost_by_draw: tuple[float, ...]
    clips: int
    note: str


def robustness(
    detector: Detector,
    clips: Sequence[tuple[str, Pcm]],
    noise: list[Pcm],
    *,
    seed: int,
    draws: int = 1,
) -> Iterator[Row]:
    """Give the rows of the table, clean first, through the detector of a device.

    `clips` are (label, (n,) int16); equal seeds give equal audio, and `draws` of noise and rooms
    are those of so many seeds. MissingExtraError without soundfile or soxr.
    """
    rate = detector.model.features.sample_rate
    labels, audio = [label for label, _ in clips], [pcm for _, pcm in clips]
    clean: float | None = None
    for number, condition in enumerate(conditions(noise, sample_rate=rate)):
        reports, notes = [], []
        for draw in range(draws if condition.drawn else 1):
            degraded = condition.apply(audio, np.random.default_rng([seed + draw, number]))
            reports.append(evaluate_clips(detector, zip(labels, degraded.clips, strict=True)))
            notes.append(degraded.note)
        clean = reports[0].accuracy if clean is None else clean
        yield _row(condition.name, reports, notes, clean=clean)


def _row(name: str, reports: Sequence[ClipReport], notes: Sequence[str], *, clean: float) -> Row:
    accuracy, count = mean(report.accuracy for report in reports), reports[0].clips
    lost = tuple(100 * (clean - report.accuracy) for report in reports)
    spread = f"{len(lost)} draws, {min(lost):.1f} to {max(lost):.1f} points below"
    return Row(
        condition=name,
        accuracy=share(round(accuracy * count), count),
        macro_f1=mean(report.macro_f1 for report in reports),
        points_lost=mean(lost),
        lost_by_draw=lost,
        clips=count,
        note=notes[0] if len(reports) == 1 else spread,
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
