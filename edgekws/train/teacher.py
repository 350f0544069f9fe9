"""What the teacher hears in every clip, computed once and kept: the targets of a distillation.

A clip is laid into a little noise with half a second on either side, as the teacher wants context;
the mean and the maximum of its embeddings over that time are the target. Clips are known by their
samples, so that one cache serves every run over the same recordings, in any order.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from edgekws.errors import RunError
from edgekws.events import Floats, Pcm
from edgekws.train.run import write_aside
from edgekws.train.speech_embedding import SAMPLE_RATE, WIDTH, SpeechEmbedding

TARGET_WIDTH: Final = 2 * WIDTH
CONTEXT_SAMPLES: Final = SAMPLE_RATE // 2
LONGEST_SECONDS: Final = 1.5  # a longer clip is continuous speech: no one target is about all of it
NOISE_LEVEL: Final = 10.0  # deviation on the int16 scale: digital silence is not what a room holds
BATCH: Final = 32
SAVE_EVERY: Final = 4096

Told = Callable[[int, int], None]
Keys = NDArray[np.uint64]


class TargetCache:
    """Targets on disk, (n, 192) half floats by the digest of the clip that each is of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[int, NDArray[np.float16]] = {}
        if path.exists():
            self._read()

    def __contains__(self, key: int) -> bool:
        """Return whether the target of a clip is known."""
        return key in self._rows

    def add(self, keys: Sequence[int], targets: Floats) -> None:
        """Keep (n, 192) targets."""
        self._rows.update(zip(keys, targets.astype(np.float16), strict=True))

    def take(self, keys: Sequence[int]) -> Floats:
        """Return the targets of clips, (n, 192) float32; NaN for one that is not known."""
        nothing = np.full(TARGET_WIDTH, np.nan, np.float16)
        return np.stack([self._rows.get(key, nothing) for key in keys]).astype(np.float32)

    def save(self) -> None:
        """Write all of them, atomically."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        keys: Keys = np.fromiter(self._rows, np.uint64, len(self._rows))
        write_aside(self._path, save({"keys": keys, "targets": np.stack([*self._rows.values()])}))

    def _read(self) -> None:
        try:
            held = load(self._path.read_bytes())
            keys, targets = held["keys"].tolist(), held["targets"]
            if targets.shape != (len(keys), TARGET_WIDTH):
                raise ValueError(f"targets of shape {targets.shape}")
            self._rows = dict(zip(keys, targets, strict=True))
        except (OSError, SafetensorError, KeyError, ValueError) as fault:
            raise RunError(
                f"{self._path}: not usable as the teacher's cache ({fault}); delete it to compute "
                "it again"
            ) from fault


def clip_targets(
    pcm: Sequence[Pcm], teacher: SpeechEmbedding, cache: TargetCache, *, told: Told
) -> Floats:
    """Return what the teacher says of each clip, (clips, 192); NaN for clips that are too long.

    What the cache does not know yet is computed, told of as (done, total), and saved now and then,
    so that an interrupted computation goes on.
    """
    keys = [_key(clip) for clip in pcm]
    missing = [i for i, key in enumerate(keys) if key not in cache and _is_short(pcm[i])]
    done = unsaved = 0
    for chosen in _batches(missing, [_laid_length(clip) for clip in pcm]):
        cache.add([keys[i] for i in chosen], embed([pcm[i] for i in chosen], teacher))
        done, unsaved = done + len(chosen), unsaved + len(chosen)
        told(done, len(missing))
        if unsaved >= SAVE_EVERY or done == len(missing):
            cache.save()
            unsaved = 0
    return cache.take(keys)


@torch.inference_mode()
def embed(pcm: Sequence[Pcm], teacher: SpeechEmbedding) -> Floats:
    """Return mean and maximum of the teacher's embeddings of each clip, (clips, 192).

    Clips of one laid length give what each gives alone.
    """
    length = max(map(_laid_length, pcm))
    noise = np.random.default_rng(0).normal(0.0, NOISE_LEVEL, length).astype(np.float32)
    audio = np.tile(noise, (len(pcm), 1))
    for row, clip in zip(audio, pcm, strict=True):
        start = (length - len(clip)) // 2
        row[start : start + len(clip)] += clip
    rows = teacher(torch.from_numpy(audio))  # (clips, rows, 96)
    return torch.cat((rows.mean(1), rows.amax(1)), dim=1).numpy()


def standardized(targets: Floats) -> Tensor:
    """Return targets with mean 0 and deviation 1 in every dimension; NaN stays."""
    mean, deviation = np.nanmean(targets, axis=0), np.nanstd(targets, axis=0)
    return torch.from_numpy((targets - mean) / np.maximum(deviation, 1e-3))


def _batches(clips: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Give the clips in batches of one length each."""
    for length in sorted({lengths[i] for i in clips}):
        alike = [i for i in clips if lengths[i] == length]
        yield from (alike[first : first + BATCH] for first in range(0, len(alike), BATCH))


def _laid_length(clip: Pcm) -> int:
    """Return the samples that a clip is laid into: its own in eighths of a second, and context."""
    eighth = SAMPLE_RATE // 8
    return -(-len(clip) // eighth) * eighth + 2 * CONTEXT_SAMPLES


def _is_short(clip: Pcm) -> bool:
    return 0 < len(clip) <= LONGEST_SECONDS * SAMPLE_RATE


def _key(clip: Pcm) -> int:
    digest = hashlib.blake2b(np.ascontiguousarray(clip).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
