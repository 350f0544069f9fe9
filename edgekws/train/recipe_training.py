"""The part of a recipe that is about learning: phases of epochs, and what moves the weights."""

from typing import Annotated

from msgspec import Meta

from edgekws.specs import Spec
from edgekws.train.recipe_values import Above0, Count, Positive, Rate, Share


class PhaseRecipe(Spec, frozen=True):
    """A run of epochs with one pair of peak learning rates; 0 freezes that part."""

    epochs: Positive
    head_rate: Rate
    backbone_rate: Rate
    warmup_fraction: Share = 0.1
    quantization_aware: bool = False
    """Compute as the int8 model will: a last short phase for a net that loses by it."""

    def __post_init__(self) -> None:
        if self.head_rate + self.backbone_rate == 0:
            raise ValueError("head_rate and backbone_rate are both 0: nothing would learn")


class OptimizerRecipe(Spec, frozen=True):
    """AdamW on batches, cosine down to zero in every phase, averaged weights for the result."""

    batch: Annotated[int, Meta(ge=2)] = 128
    weight_decay: Share = 0.02
    label_smoothing: Share = 0.05
    gradient_norm: Above0 = 5.0
    average_decay: Share = 0.998
    patience: Count = 0
    """Epochs without a better validation loss before a phase ends; 0 never stops early."""


class DistillationRecipe(Spec, frozen=True):
    """A teacher whose embeddings the net learns to foretell, beside the labels."""

    embedding_weight: Above0 = 1.0
    """Weight of the squared error to the teacher's embeddings, over that of the labels."""
    embedding: str = "speech-embedding"
    """The teacher's ONNX file: a path, or a name under models/ that `edgekws fetch` brings."""
