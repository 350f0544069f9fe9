"""A recipe: everything a training run decides, read from one TOML file."""

import hashlib
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekws.specs import MFCC_40, Spec
from edgekws.train.nets import NetConfig
from edgekws.train.recipe_data import AugmentRecipe, DataRecipe, SynthesisRecipe
from edgekws.train.recipe_training import DistillationRecipe, OptimizerRecipe, PhaseRecipe
from edgekws.train.recipe_values import Count
from edgekws.train.settings_file import read_settings

FolderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]


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
    synthesis: tuple[SynthesisRecipe, ...] = ()
    augment: AugmentRecipe = AugmentRecipe()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    stream: StreamRecipe = StreamRecipe()
    distillation: DistillationRecipe | None = None
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
