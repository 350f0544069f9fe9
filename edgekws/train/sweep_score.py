"""The figure by which a sweep compares trials: how sure a net is of the truth."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from edgekws.events import Floats
from edgekws.train.evaluate import Normalizer, clip_logits
from edgekws.train.frontend import TorchFrontend
from edgekws.train.run import Run, load_net
from edgekws.train.run_audio import load_heldout

TEMPERATURES: Final = np.geomspace(0.25, 4.0, 33)


def score_run(folder: Path, run: Run) -> float:
    """Return the calibrated loss of a finished run over its own held-out clips."""
    heldout = load_heldout(folder, n_labels=len(run.labels))
    frontend = TorchFrontend(run.features)
    features = Normalizer(frontend, torch.tensor(run.mean), torch.tensor(run.scale))
    return calibrated_loss(
        clip_logits(load_net(folder, run), features, heldout.pcm), heldout.labels
    )


def calibrated_loss(logits: Floats, classes: NDArray[np.int64]) -> float:
    """Return the cross-entropy of (clips, labels) logits at the temperature that suits them best.

    Accuracy over a few dozen clips is too coarse to search with. Plain cross-entropy prefers nets
    without label smoothing for their scale alone, which says nothing about how well they hear.
    """
    scaled = logits[None].astype(np.float64) / TEMPERATURES[:, None, None]
    scaled -= scaled.max(axis=2, keepdims=True)
    likelihood = scaled - np.log(np.exp(scaled).sum(axis=2, keepdims=True))
    of_truth = likelihood[:, np.arange(len(classes)), classes]  # (temperatures, clips)
    return float(-of_truth.mean(axis=1).max())
