"""A finished run as the teacher of a smaller net: its scores of the same audio are learned too."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edgekws.errors import ConfigError
from edgekws.specs import FeatureSpec
from edgekws.train.evaluate import Normalizer, normalizer_of
from edgekws.train.losses import Heard, soft_loss
from edgekws.train.nets import StreamingNet
from edgekws.train.pretrained import load_base
from edgekws.train.recipe_training import DistillationRecipe


@dataclass(frozen=True, slots=True)
class SoftTeacher:
    """A trained net whose last row of scores is the target of the student's last row."""

    net: StreamingNet
    features: Normalizer
    order: Tensor  # (labels,) the teacher's column of each label of the student
    temperature: float
    weight: float

    def loss(self, heard: Heard) -> Tensor:
        """Return how far the student's last row is from the teacher's; both end alike."""
        return soft_loss(heard.logits[:, -1], self.logits(heard.cepstra), self.temperature)

    @torch.no_grad()
    def logits(self, cepstra: Tensor) -> Tensor:
        """Return the teacher's last row, (batch, labels), of (batch, frames, n_mfcc)."""
        surplus = cepstra.shape[1] % self.net.config.frames_per_score
        rows = self.net.last_rows(self.features.normalized(cepstra[:, surplus:]), 1)
        return rows[:, -1, self.order]


def load_soft_teacher(
    recipe: DistillationRecipe | None, labels: tuple[str, ...], spec: FeatureSpec
) -> SoftTeacher | None:
    """Load the teacher of a recipe, if it names one.

    ConfigError where there is no such run, or its labels or features are others.
    """
    if recipe is None or not recipe.teacher:
        return None
    base = load_base(recipe.teacher)
    known = base.run.labels
    if set(known) != set(labels):
        differing = ", ".join(sorted(set(known) ^ set(labels))[:6])
        raise ConfigError(
            f"distillation.teacher {recipe.teacher!r}: its labels are not those of this training "
            f"({differing}); name a run with the same labels"
        )
    if base.run.features != spec:
        raise ConfigError(
            f"distillation.teacher {recipe.teacher!r}: it hears other features; "
            "name a run with the same front end"
        )
    order = torch.tensor([known.index(label) for label in labels])
    return SoftTeacher(
        base.net.eval(), normalizer_of(base.run), order, recipe.temperature, recipe.weight
    )
