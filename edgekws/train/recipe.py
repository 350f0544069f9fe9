"""A recipe: everything a training run decides, read from one TOML file."""

import hashlib
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekws.specs import MFCC_40, Spec
from edgekws.train.nets import NetConfig
from edgekws.train.settings_file import read_settings

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(ge=0, le=1)]
Above0 = Annotated[float, Meta(gt=0)]
FolderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]


class DataRecipe(Spec, frozen=True):
    """How folders become classes and splits."""

    validation_percent: Annotated[float, Meta(gt=0, lt=100)] = 15.0
    """Share of speakers (or clips, where no speaker is named) that is held out."""
    test_percent: Annotated[float, Meta(ge=0, lt=100)] = 0.0
    """Share of speakers left out; 10 with Speech Commands leaves its official test set alone."""
    unknown_fraction: Share = 0.2
    """Share of training examples that are other words."""
    silence_fraction: Share = 0.1
    """Share of training examples that are noise alone."""
    examples_per_epoch: Count = 0
    """Training examples per epoch; 0 takes four per clip, at least 1,000 and at most 32,000."""
    balance: Share = 0.5
    """A class is drawn in proportion to its clips to this power: 1 as they are, 0 all alike."""


class AugmentRecipe(Spec, frozen=True):
    """What a training example goes through; probabilities are 0 to 1."""

    shift_samples: Count = 1600
    """Largest shift of a clip to either side."""
    lead_frames: Annotated[tuple[Count, ...], Meta(min_length=1)] = (0, 0, 8, 24, 48)
    """Frames of sound before the window, drawn per batch; 0 starts from a fresh state."""
    noise_probability: Share = 0.8
    snr_db: tuple[float, float] = (0.0, 35.0)
    gain_db: tuple[float, float] = (-18.0, 6.0)
    speed_probability: Share = 0.5
    speed: tuple[Above0, Above0] = (0.88, 1.14)
    reverb_probability: Share = 0.2
    reverb_seconds: tuple[Above0, Above0] = (0.1, 0.5)
    frequency_masks: Count = 2
    frequency_mask_bands: Count = 6
    time_masks: Count = 2
    time_mask_frames: Count = 14


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


class StreamRecipe(Spec, frozen=True):
    """How thresholds are chosen: a false-accept budget over a long validation stream."""

    false_accepts_per_hour: Annotated[float, Meta(ge=0)] = 1.0
    minutes: Annotated[float, Meta(ge=0.2, le=6000)] = 30.0
    """Length of the stream that is laid; half chooses the thresholds, half reports."""


class SourceRecipe(Spec, frozen=True):
    """Where data come from, for the card."""

    name: str
    licence: str
    url: str = ""


class Recipe(Spec, frozen=True):
    """One training run. With `base` it adapts that model, with `net` it starts from scratch."""

    name: FolderName
    version: str
    phases: tuple[PhaseRecipe, ...]
    base: str = ""
    net: NetConfig | None = None
    labels: tuple[str, ...] = ()
    """The commands; empty takes every folder that is not reserved. Others are `_unknown_`."""
    seed: Count = 1
    data: DataRecipe = DataRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    stream: StreamRecipe = StreamRecipe()
    sources: tuple[SourceRecipe, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.base) == (self.net is not None):
            raise ValueError("give either base (adapt it) or net (start from scratch)")
        if not self.phases:
            raise ValueError("give at least one [[phases]]")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels: each command once")
        if any(not label or label.startswith(("_", ".")) for label in self.labels):
            raise ValueError("labels: names that start with _ or . are not for commands")
        if self.net is not None and self.net.n_features != MFCC_40.n_mfcc:
            raise ValueError(f"net.n_features: the front end gives {MFCC_40.n_mfcc}")


def load_recipe(path: Path) -> tuple[Recipe, str]:
    """Read a recipe; return it with the sha256 of its bytes. ConfigError names the faulty key."""
    recipe, text = read_settings(
        path, Recipe, what="the recipe", advice="models/recipes/ holds examples"
    )
    return recipe, hashlib.sha256(text).hexdigest()
