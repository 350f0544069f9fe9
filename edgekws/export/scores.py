"""Scores of whole recordings by the device's own features and engine, without its trigger."""

from collections.abc import Sequence

import numpy as np

from edgekws.engines.engine import Engine
from edgekws.events import Floats, Pcm
from edgekws.runtime.detector import rows_to_fill
from edgekws.runtime.steps import Steps, StepStream, steps_for
from edgekws.specs import GraphSpec, ModelSpec


def clip_steps(model: ModelSpec, pcm: Pcm, *, graph: GraphSpec | None = None) -> list[Floats]:
    """Return the steps of one recording: normalized features, or what a graph takes."""
    return list(_stream(model, graph).push(pcm))


def score_steps(model: ModelSpec, engine: Engine, steps: Sequence[Floats]) -> Floats:
    """Return the posteriors of steps from the start of a stream, (rows, n_labels)."""
    engine.reset()
    rows = [engine.step(step) for step in steps]
    return np.concatenate(rows or [np.zeros((0, len(model.labels)), np.float32)])


def decide(model: ModelSpec, scores: Floats) -> int:
    """Return the index of a clip's label, by the rule of `runtime.evaluate.classify_clip`."""
    full = scores[rows_to_fill(model) - 1 :]  # (rows with a full window, n_labels)
    commands = [model.labels.index(label) for label in model.commands]
    return int(full[int(full[:, commands].max(axis=1).argmax())].argmax())


def _stream(model: ModelSpec, graph: GraphSpec | None) -> Steps:
    return StepStream(model) if graph is None else steps_for(model, graph)
