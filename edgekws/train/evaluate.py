"""Scores of whole clips by the torch net, decided as the device decides, and the report on them."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekws.events import Floats
from edgekws.train.frontend import TorchFrontend
from edgekws.train.nets import StreamingNet
from edgekws.train.run import Run

BATCH = 256


class Normalizer(torch.nn.Module):
    """Front end and fixed normalization: audio in, what the net takes out."""

    mean: Tensor
    scale: Tensor

    def __init__(self, frontend: TorchFrontend, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.frontend = frontend
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", scale.float())

    def forward(self, audio: Tensor) -> Tensor:
        """Return normalized features (batch, frames, n_mfcc) of (batch, samples) audio."""
        return self.normalized(self.frontend(audio))

    def normalized(self, cepstra: Tensor) -> Tensor:
        """Return (cepstra - mean) * scale."""
        return (cepstra - self.mean) * self.scale


def normalizer_of(run: Run) -> Normalizer:
    """Return the front end and the normalization that a run's net was trained behind."""
    return Normalizer(TorchFrontend(run.features), torch.tensor(run.mean), torch.tensor(run.scale))


@torch.inference_mode()
def clip_logits(net: StreamingNet, features: Normalizer, pcm: NDArray[np.int16]) -> Floats:
    """Return the logits (clips, labels) of the first full window of (clips, samples) audio."""
    net.eval()
    frames = net.config.window_frames
    out = []
    for batch in _batches(pcm):
        out.append(net.last_rows(features(batch)[:, :frames], 1)[:, 0].numpy())
    return np.concatenate(out)


def _batches(pcm: NDArray[np.int16]) -> Iterator[Tensor]:
    for start in range(0, len(pcm), BATCH):
        yield torch.from_numpy(pcm[start : start + BATCH].astype(np.float32))


def standard_error(share: float, count: int) -> float:
    """Return the standard error of a share of so many, which is above 0 at 0 and 1 too.

    Agresti and Coull 1998: two successes and two failures are added.
    """
    p = (share * count + 2) / (count + 4)
    return math.sqrt(p * (1 - p) / (count + 4))
