"""Learning to foretell a teacher's embeddings: what makes a net a good backbone for new words.

A linear layer beside the head maps the net's embedding to the teacher's; it is trained with the net
and thrown away afterwards (Romero et al. 2015, "FitNets").
"""

from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from edgekws.errors import ConfigError
from edgekws.train.dataset import Corpus
from edgekws.train.nets import StreamingNet
from edgekws.train.pretrained import find_published
from edgekws.train.progress import Reporter
from edgekws.train.recipe_training import DistillationRecipe
from edgekws.train.speech_embedding import load_speech_embedding
from edgekws.train.teacher import TARGET_WIDTH, TargetCache, clip_targets, standardized

CACHE_FILE: Final = "speech-embedding-targets.safetensors"


class Distillation(nn.Module):
    """The layer that foretells, and what it should say of each training clip.

    `targets` is (clips, 192), NaN in the rows of clips without a target.
    """

    targets: Tensor

    def __init__(self, width: int, targets: Tensor, *, weight: float) -> None:
        super().__init__()
        self.foretell = nn.Linear(width, targets.shape[1])
        self.weight = weight
        self.register_buffer("targets", targets, persistent=False)

    def forward(self, embeddings: Tensor, clips: Tensor) -> Tensor:
        """Return the weighted mean squared error of (batch, rows, width) embeddings of clips.

        `clips` is (batch,), -1 where nothing is to be foretold.
        """
        wanted = self.targets[clips.clamp(min=0)][:, None]  # (batch, 1, 192)
        known = (clips >= 0)[:, None, None] & wanted.isfinite().all(2, keepdim=True)
        wanted = torch.where(known, wanted, 0.0)
        error = (self.foretell(embeddings) - wanted).square() * known
        counted = known.sum().clamp(min=1) * embeddings.shape[1] * wanted.shape[2]
        return cast(Tensor, self.weight * error.sum() / counted)


def build_distillation(
    recipe: DistillationRecipe,
    net: StreamingNet,
    corpus: Corpus,
    *,
    cache: Path,
    reporter: Reporter,
) -> Distillation:
    """Ask the teacher about every training clip, as far as the cache does not know it.

    Raises ConfigError where there is no teacher or no clip for it, RunError for a spoilt cache.
    """
    teacher = load_speech_embedding(find_published(recipe.embedding, key="distillation.embedding"))
    pcm = [clip.pcm for clip in corpus.of("training")]
    targets = clip_targets(
        pcm,
        teacher,
        TargetCache(cache),
        told=lambda done, total: reporter.progress("asking the teacher", done, total),
    )
    known = int(np.isfinite(targets).all(axis=1).sum())
    if known < TARGET_WIDTH:
        raise ConfigError(
            f"distillation: {known} clips are short enough for the teacher, {TARGET_WIDTH} or more "
            "are needed; cut the recordings, or leave [distillation] out"
        )
    reporter.say(f"the teacher speaks of {known} of {len(pcm)} training clips")
    return Distillation(net.head.in_features, standardized(targets), weight=recipe.embedding_weight)
