"""A recipe: everything a training run decides, read from one TOML file."""

import hashlib
import tomllib
from pathlib import Path

import msgspec

from edgekws.errors import ConfigError
from edgekws.specs import Spec
from edgekws.train.nets import TcnConfig


class DataRecipe(Spec, frozen=True):
    """How folders become classes and splits."""

    validation_percent: float = 15.0
    """Share of speakers (or clips, where no speaker is named) that is held out."""
    test_percent: float = 0.0
    """Share of speakers left out; 10 with Speech Commands leaves its official test set alone."""
    unknown_fraction: float = 0.2
    """Share of training examples that are other words."""
    silence_fraction: float = 0.1
    """Share of training examples that are noise alone."""
    examples_per_epoch: int = 0
    """Training examples per epoch; 0 takes four per clip, at least 1,000 and at most 32,000."""
    balance: float = 0.5
    """A class is drawn in proportion to its clips to this power: 1 as they are, 0 all alike."""


class AugmentRecipe(Spec, frozen=True):
    """What a training example goes through; probabilities are 0 to 1."""

    shift_samples: int = 1600
    """Largest shift of a clip to either side."""
    lead_frames: tuple[int, ...] = (0, 0, 8, 24, 48)
    """Frames of sound before the window, drawn per batch; 0 starts from a fresh state."""
    noise_probability: float = 0.8
    snr_db: tuple[float, float] = (0.0, 35.0)
    gain_db: tuple[float, float] = (-18.0, 6.0)
    speed_probability: float = 0.5
    speed: tuple[float, float] = (0.88, 1.14)
    reverb_probability: float = 0.2
    reverb_seconds: tuple[float, float] = (0.1, 0.5)
    frequency_masks: int = 2
    frequency_mask_bands: int = 6
    time_masks: int = 2
    time_mask_frames: int = 14


class PhaseRecipe(Spec, frozen=True):
    """A run of epochs with one pair of peak learning rates; 0 freezes that part."""

    epochs: int
    head_rate: float
    backbone_rate: float
    warmup_fraction: float = 0.1


class OptimizerRecipe(Spec, frozen=True):
    """AdamW on batches, cosine down to zero in every phase, averaged weights for the result."""

    batch: int = 128
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    gradient_norm: float = 5.0
    average_decay: float = 0.998
    patience: int = 0
    """Epochs without a better validation loss before a phase ends; 0 never stops early."""


class StreamRecipe(Spec, frozen=True):
    """How thresholds are chosen: a false-accept budget over a long validation stream."""

    false_accepts_per_hour: float = 1.0
    minutes: float = 30.0
    """Length of the stream that is laid; half chooses the thresholds, half reports."""


class SourceRecipe(Spec, frozen=True):
    """Where data come from, for the card."""

    name: str
    licence: str
    url: str = ""


class Recipe(Spec, frozen=True):
    """One training run. With `base` it adapts that model, with `net` it starts from scratch."""

    name: str
    version: str
    phases: tuple[PhaseRecipe, ...]
    base: str = ""
    net: TcnConfig | None = None
    labels: tuple[str, ...] = ()
    """The commands; empty takes every folder that is not reserved. Others are `_unknown_`."""
    seed: int = 1
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


def load_recipe(path: Path) -> tuple[Recipe, str]:
    """Read a recipe; return it with the sha256 of its bytes. ConfigError names the faulty key."""
    try:
        text = path.read_bytes()
        recipe = msgspec.convert(tomllib.loads(text.decode()), Recipe)
    except OSError as fault:
        raise ConfigError(
            f"{path}: cannot read the recipe ({fault.strerror}); models/recipes/ holds examples"
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path}: not valid TOML: {fault}; mend the line it names") from fault
    except msgspec.ValidationError as fault:
        raise ConfigError(f"{path}: {fault}; mend that key of the recipe") from fault
    return recipe, hashlib.sha256(text).hexdigest()
