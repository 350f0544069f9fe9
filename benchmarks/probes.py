"""Frozen embeddings and a logistic regression: the baselines that adaptation has to beat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekws.events import Floats, Pcm
from edgekws.train.augment import centre
from edgekws.train.evaluate import Normalizer, normalizer_of
from edgekws.train.nets import StreamingNet
from edgekws.train.pretrained import Base
from edgekws.train.speech_embedding import STEP_SAMPLES, SpeechEmbedding
from edgekws.train.teacher import embed

L2: Final = (
    1e-2  # per class mean of squared weights; the best of 1e-4 .. 1 on the pretraining words
)
ITERATIONS: Final = 200
TEACHER_ROWS: Final = 16  # a second and the half second on either side that clips are given
PORTION_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Features:
    """A frozen backbone: of clips (n, width), and of a stream (rows, width) every `hop` samples."""

    clips: Callable[[Sequence[Pcm]], Floats]
    stream: Callable[[Pcm], Floats]
    hop: int


def remembered(features: Features) -> Features:
    """Return the same backbone, which computes each recording once; it holds on to them all."""
    clips: dict[int, tuple[Pcm, Floats]] = {}  # by identity, which is of a living object only
    streams: dict[int, tuple[Pcm, Floats]] = {}

    def of_clips(pcm: Sequence[Pcm]) -> Floats:
        new = [clip for clip in pcm if id(clip) not in clips]
        if new:
            for clip, row in zip(new, features.clips(new), strict=True):
                clips[id(clip)] = (clip, row)
        return np.stack([clips[id(clip)][1] for clip in pcm])

    def of_stream(pcm: Pcm) -> Floats:
        if id(pcm) not in streams:
            streams[id(pcm)] = (pcm, features.stream(pcm))
        return streams[id(pcm)][1]

    return Features(of_clips, of_stream, features.hop)


class Probe:
    """Multinomial logistic regression on standardized features, balanced by class."""

    def __init__(self, features: Floats, classes: NDArray[np.int64], n_labels: int) -> None:
        self._mean, self._deviation = features.mean(0), np.maximum(features.std(0), 1e-4)
        x = torch.from_numpy(self._standardized(features))
        y = torch.from_numpy(classes)
        share = torch.bincount(y, minlength=n_labels).clamp(min=1).float()
        self._layer = nn.Linear(x.shape[1], n_labels)
        nn.init.zeros_(self._layer.weight)
        nn.init.zeros_(self._layer.bias)
        optimizer = torch.optim.LBFGS(
            self._layer.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self._layer(x), y, weight=1 / share)
            loss = loss + L2 * self._layer.weight.square().sum() / n_labels
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def scores(self, features: Floats) -> Floats:
        """Return posteriors (n, n_labels)."""
        logits = self._layer(torch.from_numpy(self._standardized(features)))
        return np.asarray(logits.softmax(1).numpy())

    def _standardized(self, features: Floats) -> Floats:
        return np.asarray((features - self._mean) / self._deviation, np.float32)


def net_features(base: Base) -> Features:
    """Return the embeddings of a base, the ones that its head takes."""
    run, net = base.run, base.net.eval()
    spec = run.features
    normal = normalizer_of(run)
    frames, per_row = net.config.window_frames, net.config.frames_per_score
    length = max(spec.sample_rate, spec.samples(frames))

    @torch.inference_mode()
    def clips(pcm: Sequence[Pcm]) -> Floats:
        rows = []
        for first in range(0, len(pcm), 128):
            cut = np.stack([centre(clip, length) for clip in pcm[first : first + 128]])
            x = normal(torch.from_numpy(cut.astype(np.float32)))[:, :frames]
            rows.append(net.last_embeddings(x, 1)[:, 0].numpy())
        return np.concatenate(rows)

    return Features(clips, lambda pcm: _net_rows(net, normal, pcm), per_row * spec.hop)


@torch.inference_mode()
def _net_rows(net: StreamingNet, normal: Normalizer, pcm: Pcm) -> Floats:
    x = normal(torch.from_numpy(pcm.astype(np.float32))[None])
    per_row = net.config.frames_per_score
    portion = 100 * PORTION_SECONDS // per_row * per_row
    states, rows = net.zero_states(1), []
    for first in range(0, x.shape[1] // per_row * per_row, portion):
        part = x[:, first : min(first + portion, x.shape[1] // per_row * per_row)]
        pooled, states = net.embeddings(part, states)
        rows.append(pooled[0].numpy())
    return np.concatenate(rows)


def teacher_features(teacher: SpeechEmbedding) -> Features:
    """Return the teacher's embeddings, mean and maximum over two seconds."""

    def clips(pcm: Sequence[Pcm]) -> Floats:
        return np.concatenate([embed([clip[:24_000]], teacher) for clip in pcm])

    @torch.inference_mode()
    def stream(pcm: Pcm) -> Floats:
        rows = []
        overlap = 12_400 - STEP_SAMPLES
        for first in range(0, len(pcm) - overlap, PORTION_SECONDS * 16_000):
            part = pcm[first : first + PORTION_SECONDS * 16_000 + overlap].astype(np.float32)
            rows.append(teacher(torch.from_numpy(part)[None])[0])
        windows = torch.cat(rows).unfold(0, TEACHER_ROWS, 1)  # (n, 96, 16)
        return torch.cat((windows.mean(2), windows.amax(2)), dim=1).numpy()

    return Features(clips, stream, STEP_SAMPLES)
