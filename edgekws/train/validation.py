"""The clips that training is checked with after every epoch."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn

from edgekws.events import Pcm
from edgekws.specs import RESERVED_LABELS, SILENCE, UNKNOWN, FeatureSpec
from edgekws.train import augment
from edgekws.train.dataset import Corpus
from edgekws.train.evaluate import Normalizer, clip_logits
from edgekws.train.nets import StreamingNet
from edgekws.train.recipe import Recipe

SILENCE_LEVEL_DB: Final = (-40.0, 0.0)


@dataclass(frozen=True, slots=True)
class Validation:
    """Clips of one length and their classes: (clips, samples) int16 and (clips,) int64."""

    pcm: NDArray[np.int16]
    classes: NDArray[np.int64]


def validation_clips(
    corpus: Corpus, recipe: Recipe, net: StreamingNet, spec: FeatureSpec
) -> Validation:
    """Return held-out clips of one length: every command clip, as many others and as much noise.

    `_unknown_` and `_silence_` get the mean count of a command's clips, at least ten.
    """
    rng = np.random.default_rng([recipe.seed, 3])
    length = clip_samples(net, spec)
    held = corpus.of("validation")
    commands = [clip for clip in held if clip.label not in RESERVED_LABELS]
    others = [clip for clip in held if clip.label == UNKNOWN]
    count = max(10, len(commands) // max(1, len(corpus.labels) - len(RESERVED_LABELS)))
    picks = rng.permutation(len(others))[:count]
    chosen = commands + [others[i] for i in picks]
    pcm = [augment.centre(clip.pcm, length) for clip in chosen]
    classes = [corpus.labels.index(clip.label) for clip in chosen]
    pcm += _noise_clips(corpus, count, length, rng)
    classes += [corpus.labels.index(SILENCE)] * (len(pcm) - len(classes))
    return Validation(np.stack(pcm), np.array(classes, np.int64))


def clip_samples(net: StreamingNet, spec: FeatureSpec) -> int:
    """Return the length of held-out clips: a second, or the net's window where that is longer."""
    return max(spec.sample_rate, spec.samples(net.config.window_frames))


def validate(
    net: StreamingNet, features: Normalizer, validation: Validation
) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy over the validation clips."""
    logits = torch.from_numpy(clip_logits(net, features, validation.pcm))
    classes = torch.from_numpy(validation.classes)
    loss = nn.functional.cross_entropy(logits, classes)
    return float(loss), float((logits.argmax(1) == classes).float().mean())


def _noise_clips(corpus: Corpus, count: int, length: int, rng: Generator) -> list[Pcm]:
    noise = corpus.noise_of("validation")
    clips = []
    for _ in range(count):
        gain = np.float32(10.0 ** (rng.uniform(*SILENCE_LEVEL_DB) / 20.0))
        clips.append(augment.to_scale(augment.noise_segment(noise, length, rng) * gain))
    return [clip.astype(np.int16) for clip in clips]
