"""The part of a recipe that is about learning: phases of epochs, and what moves the weights."""

from typing import Annotated, Literal

from msgspec import Meta

from edgekws.specs import Spec
from edgekws.train.recipe_values import Above0, Count, Positive, Rate, Share

Schedule = Literal["fixed", "stepped", "cosine", "one-cycle", "plateau"]
OptimizerKind = Literal["sgd", "momentum", "adam", "adamw"]
LossKind = Literal["cross-entropy", "squared-error", "focal", "max-pooling"]
Clipping = Literal["none", "value", "l1", "l2"]
Average = Literal["none", "ema", "uniform"]
Precision = Literal["float32", "bfloat16"]
Initialization = Literal["default", "random", "uniform", "xavier", "he"]


class PhaseRecipe(Spec, frozen=True):
    """A run of epochs with one pair of peak learning rates; 0 freezes that part."""

    epochs: Positive
    head_rate: Rate
    backbone_rate: Rate
    warmup_fraction: Share = 0.1
    """Share of the phase in which the rates rise to their peaks."""
    schedule: Schedule = "cosine"
    """What the rates do after the warm-up."""
    drop_epochs: Positive = 5
    """`stepped` lowers the rates after each so many; `plateau` after so many without a better."""
    drop_factor: Annotated[float, Meta(gt=0, lt=1)] = 0.3
    """What `stepped` and `plateau` multiply the rates with."""
    layer_decay: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """A layer's rate in parts of that of the layer above it, from `backbone_rate` downwards."""
    unfreeze_fraction: Share = 0.0
    """Share of the phase over which layers begin to learn, from the head down; 0 is at once."""
    quantization_aware: bool = False
    """Compute as the int8 model will: a last short phase for a net that loses by it."""

    def __post_init__(self) -> None:
        if self.head_rate + self.backbone_rate == 0:
            raise ValueError("head_rate and backbone_rate are both 0: nothing would learn")
        if self.unfreeze_fraction > 0 and 0 in (self.head_rate, self.backbone_rate):
            raise ValueError("unfreeze_fraction: needs head_rate and backbone_rate above 0")


class OptimizerRecipe(Spec, frozen=True):
    """What is made small, by which steps, and which of the weights on the way are the result."""

    kind: OptimizerKind = "adamw"
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Of `momentum`; in `adam` and `adamw` the first beta."""
    batch: Annotated[int, Meta(ge=2)] = 128
    weight_decay: Share = 0.02
    loss: LossKind = "cross-entropy"
    label_smoothing: Share = 0.05
    logit_adjustment: bool = False
    """Score as if each label were as likely as another, however many examples it has here."""
    focal_gamma: Annotated[float, Meta(ge=0)] = 2.0
    """How little the `focal` loss minds examples that are right already; 0 is cross-entropy."""
    scored_frames: Positive = 8
    """Rows of scores in the last so many frames of an example are learned from."""
    gradient_clipping: Clipping = "l2"
    gradient_norm: Above0 = 5.0
    """Largest gradient by the measure of `gradient_clipping`."""
    average: Average = "ema"
    """Which mean of the weights on the way is validated and kept."""
    average_decay: Share = 0.998
    """What `ema` keeps of its mean at a step."""
    average_epochs: Positive = 5
    """`uniform` is the plain mean over the last so many epochs of a phase."""
    precision: Precision = "float32"
    """`bfloat16` computes most of the net in 16 bits; weights and losses stay in 32."""
    patience: Count = 0
    """Epochs without a better validation loss before a phase ends; 0 never stops early."""


class MultitaskRecipe(Spec, frozen=True):
    """What the net learns to tell besides the label, to be a better backbone; no score is of it."""

    language_weight: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of telling the language of a command, over that of the labels; 0 leaves it out."""


class DistillationRecipe(Spec, frozen=True):
    """What the net learns from besides the labels: a net with the same labels, an embedding."""

    teacher: str = ""
    """A finished run with the same labels: a folder with a run.json, or the name of a base."""
    temperature: Above0 = 2.0
    """Divides the logits of both nets: the higher, the more the wrong labels' scores say."""
    weight: Share = 0.5
    """Share of `teacher` in the loss; the rest is the labels'."""
    undisturbed: bool = False
    """Have `teacher` hear what is said without the noise, room and codec that the net hears."""
    embedding: str = ""
    """An embedding's ONNX file: a path, or a name under models/ that `edgekws fetch` brings."""
    embedding_weight: Above0 = 1.0
    """Weight of the squared error to that embedding, over that of the labels."""

    def __post_init__(self) -> None:
        if not self.teacher and not self.embedding:
            raise ValueError("give teacher (a finished run), or embedding, or both")
        if self.undisturbed and not self.teacher:
            raise ValueError("undisturbed is for a teacher (a finished run), and there is none")
