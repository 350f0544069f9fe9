"""Never export without parity: every model file against the trained net, on held-out audio."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from edgekws.engines.engine import Engine
from edgekws.errors import ParityError, RunError
from edgekws.events import Floats, Pcm
from edgekws.export.scores import clip_steps, decide, score_steps
from edgekws.runtime.detector import rows_to_fill
from edgekws.runtime.figures import ClipReport, clip_report
from edgekws.specs import GraphSpec, ModelSpec, Precision
from edgekws.train.nets import StreamingNet

FP32_LARGEST_DIFFERENCE: Final = 1e-3
"""Between posteriors. Other summation orders move them by about 1e-6; a wrong state, axis or batch
norm by a tenth and more."""

FP16_LARGEST_DIFFERENCE: Final = 2e-2
"""Weights of 11 bits move the posteriors of clips at a border by some thousandths."""

INT8_AGREEMENT: Final = 0.97
"""Share of clips with the same label. Rounding flips the clips that lie at a border: 1 % of them on
a net of 83 % accuracy, fewer on better ones. A range gone wrong flips far more."""

INT8_ACCURACY_LOSS: Final = 0.01
"""One point of accuracy is what eight bits may cost."""

CLIPS_OF_GRACE: Final = 2
"""So many clips may always differ: in a set of 30, one at a border is more than both limits."""

WORST_CLIPS: Final = 3  # that a refusal names
BATCH: Final = 256

LARGEST_DIFFERENCE: Final[dict[Precision, float]] = {
    "fp32": FP32_LARGEST_DIFFERENCE,
    "fp16": FP16_LARGEST_DIFFERENCE,
}


@dataclass(frozen=True, slots=True)
class Reference:
    """The trained net on held-out clips.

    `pcm` is (clips, samples) int16, `scores` (clips, rows, n_labels) the posteriors, `truths` and
    `decisions` (clips,) indices of labels.
    """

    pcm: Pcm
    scores: Floats
    truths: NDArray[np.int64]
    decisions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WorstClip:
    """A clip, by its row in heldout.npz: its labels, and what its posteriors are off by."""

    row: int
    truth: str
    trained: str
    heard: str
    difference: float

    def __str__(self) -> str:
        return (
            f"{self.row} ({self.truth}) by {self.difference:.3g}, heard as {self.heard}, by the "
            f"trained net as {self.trained}"
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """How one model file compares; `agreement` is the share of clips decided as torch decides.

    `worst` are the clips whose posteriors are off by most, the worst first.
    """

    key: str
    size: int
    report: ClipReport
    accuracy_loss: float
    agreement: float
    largest_difference: float
    microseconds_per_step: float
    worst: tuple[WorstClip, ...]

    @property
    def clips(self) -> int:
        """Clips it was measured on."""
        return self.report.clips

    @property
    def accuracy(self) -> float:
        """Share of clips that it decided right."""
        return self.report.accuracy

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the labels."""
        return self.report.macro_f1


def reference(
    net: StreamingNet, model: ModelSpec, pcm: Pcm, truths: NDArray[np.int64]
) -> Reference:
    """Run the trained net over (clips, samples) int16; RunError where clips are too short."""
    steps = tuple(clip_steps(model, clip) for clip in pcm)
    if len(steps[0]) * model.scores_per_step < rows_to_fill(model):
        raise RunError(
            f"held-out clips of {pcm.shape[1]} samples are shorter than the model's window of "
            f"{model.features.samples(model.window_frames)}; train the run again"
        )
    scores = _torch_scores(net, steps)
    decisions = np.array([decide(model, rows) for rows in scores], np.int64)
    return Reference(pcm, scores, truths, decisions)


def compare(
    model: ModelSpec,
    engine: Engine,
    against: Reference,
    *,
    key: str,
    size: int,
    graph: GraphSpec | None = None,
) -> Figures:
    """Run the held-out clips through a device's engine and return the figures.

    It is given features, or what its `graph` takes; the time is that of both.
    """
    before = time.process_time_ns()
    clips = (clip_steps(model, pcm, graph=graph) for pcm in against.pcm)
    scores = np.stack([score_steps(model, engine, steps) for steps in clips])
    spent = time.process_time_ns() - before
    decisions = np.array([decide(model, rows) for rows in scores], np.int64)
    names = np.array(model.labels, object)
    report = clip_report(
        names[against.truths].tolist(), names[decisions].tolist(), list(model.labels)
    )
    trained = float(np.mean(against.decisions == against.truths))
    differences = np.abs(scores - against.scores).max(axis=(1, 2))  # (clips,)
    return Figures(
        key=key,
        size=size,
        report=report,
        accuracy_loss=trained - report.accuracy,
        agreement=float(np.mean(decisions == against.decisions)),
        largest_difference=float(differences.max()),
        microseconds_per_step=spent / 1000 * model.scores_per_step / scores[..., 0].size,
        worst=_worst(model, against, decisions, differences),
    )


def require_parity(figures: Figures, *, precision: Precision) -> None:
    """Raise ParityError, with the figures, where a model file is not what was trained."""
    if precision in LARGEST_DIFFERENCE:
        limit = LARGEST_DIFFERENCE[precision]
        passed = figures.largest_difference <= limit
        limits = f"largest difference {limit:g}"
    else:
        passed = _few(1 - figures.agreement, of=figures.clips, limit=1 - INT8_AGREEMENT)
        passed &= _few(figures.accuracy_loss, of=figures.clips, limit=INT8_ACCURACY_LOSS)
        limits = f"agreement {INT8_AGREEMENT:.0%}, accuracy loss {INT8_ACCURACY_LOSS:.0%}"
    if not (passed and np.isfinite(figures.largest_difference)):
        raise ParityError(
            f"{figures.key} disagrees with the trained net on {figures.clips} held-out clips: "
            f"largest difference {figures.largest_difference:.3g}, agreement "
            f"{figures.agreement:.2%}, accuracy {figures.accuracy:.2%}, lost "
            f"{figures.accuracy_loss:.2%}; the limits are {limits}. The worst rows of "
            f"heldout.npz: {'; '.join(map(str, figures.worst))}. No bundle was written: check the "
            "run's calibration audio, or report this as a bug"
        )


def _worst(
    model: ModelSpec, against: Reference, decisions: NDArray[np.int64], differences: Floats
) -> tuple[WorstClip, ...]:
    """Return the clips with the largest differences, (clips,); NaN counts as infinity."""
    finite = np.nan_to_num(differences, nan=np.inf)
    rows = np.argsort(-finite, kind="stable")[:WORST_CLIPS].tolist()
    return tuple(
        WorstClip(
            row,
            truth=model.labels[against.truths[row]],
            trained=model.labels[against.decisions[row]],
            heard=model.labels[decisions[row]],
            difference=float(differences[row]),
        )
        for row in rows
    )


def _few(share: float, *, of: int, limit: float) -> bool:
    """Return whether a share of so many clips is within the limit or the clips of grace."""
    return round(share * of) <= max(limit * of, CLIPS_OF_GRACE)


@torch.inference_mode()
def _torch_scores(net: StreamingNet, steps: Sequence[list[Floats]]) -> Floats:
    """Return the posteriors of equally long clips in clip mode, (clips, rows, n_labels)."""
    out = []
    for start in range(0, len(steps), BATCH):
        features = np.stack([np.concatenate(clip) for clip in steps[start : start + BATCH]])
        logits, _ = net(torch.from_numpy(features), net.zero_states(len(features)))
        out.append(torch.softmax(logits, dim=-1).numpy())
    return np.concatenate(out)
