"""Scores of whole recordings by the device's own features and engine, without its trigger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.engines.engine import Engine
from edgekws.events import Floats, Pcm
from edgekws.runtime.detector import rows_to_fill
from edgekws.runtime.steps import StepStream
from edgekws.specs import ModelSpec

PORTION_SECONDS: Final = 4  # keeps the memory of a long recording's features small


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """`scores` (rows, n_labels) and for each row the sample index just after it, (rows,)."""

    scores: Floats
    samples: NDArray[np.int64]


def clip_steps(model: ModelSpec, pcm: Pcm) -> list[Floats]:
    """Return the steps of normalized features of one recording, (step_frames, n_mfcc) each."""
    return list(StepStream(model).push(pcm))


def score_steps(model: ModelSpec, engine: Engine, steps: Sequence[Floats]) -> Floats:
    """Return the posteriors of steps from the start of a stream, (rows, n_labels)."""
    engine.reset()
    rows = [engine.step(step) for step in steps]
    return np.concatenate(rows or [np.zeros((0, len(model.labels)), np.float32)])


def score_stream(model: ModelSpec, engine: Engine, pcm: Pcm) -> ScoreRows:
    """Return the posteriors of a long recording: the rows that the device's trigger would see."""
    engine.reset()
    stream, rows = StepStream(model), []
    portion = PORTION_SECONDS * model.features.sample_rate
    for at in range(0, len(pcm), portion):
        rows += [engine.step(step) for step in stream.push(pcm[at : at + portion])]
    scores = np.concatenate(rows or [np.zeros((0, len(model.labels)), np.float32)])
    first = model.features.samples(model.frames_per_score)
    samples = first + model.samples_per_score * np.arange(len(scores), dtype=np.int64)
    unseen = rows_to_fill(model) - 1
    return ScoreRows(scores[unseen:], samples[unseen:])


def decide(model: ModelSpec, scores: Floats) -> int:
    """Return the index of a clip's label, by the rule of `runtime.evaluate.classify_clip`."""
    full = scores[rows_to_fill(model) - 1 :]  # (rows with a full window, n_labels)
    commands = [model.labels.index(label) for label in model.commands]
    return int(full[int(full[:, commands].max(axis=1).argmax())].argmax())
