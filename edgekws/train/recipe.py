"""A recipe: everything a training run decides, read from one TOML file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from edgekws.errors import ConfigError
from edgekws.specs import MFCC_40, Spec
from edgekws.train.nets import NetConfig
from edgekws.train.nets.tcn import OrderConfig
from edgekws.train.recipe_data import AugmentRecipe, CleanRecipe, DataRecipe, SynthesisRecipe
from edgekws.train.recipe_training import (
    DistillationRecipe,
    Initialization,
    MultitaskRecipe,
    OptimizerRecipe,
    PhaseRecipe,
)
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
    window_seconds: Annotated[float, Meta(ge=0, le=5)] = 0.0
    """Time that a `base` of kind tcn or speech-embedding looks back; 0 is as it did."""
    order: OrderConfig | None = None
    """What a `base` of kind tcn gets between its embeddings and their pool, to hear their order."""
    initialization: Initialization = "default"
    """How the first weights of a `net` are drawn."""
    labels: tuple[str, ...] = ()
    """The commands; empty takes every folder that is not reserved. Others are `_unknown_`."""
    seed: Count = 1
    data: DataRecipe = DataRecipe()
    clean: CleanRecipe = CleanRecipe()
    synthesis: tuple[SynthesisRecipe, ...] = ()
    augment: AugmentRecipe = AugmentRecipe()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    distillation: DistillationRecipe | None = None
    multitask: MultitaskRecipe = MultitaskRecipe()
    stream: StreamRecipe = StreamRecipe()
    sources: tuple[SourceRecipe, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.base) == (self.net is not None):
            raise ValueError("give either base (adapt it) or net (start from scratch)")
        if self.base and self.initialization != "default":
            raise ValueError("initialization: a base has its weights; only a net draws them")
        if self.net is not None:
            self._check_net(self.net)
        if not self.phases:
            raise ValueError("give at least one [[phases]]")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels: each command once")
        if any(not label or label.startswith(("_", ".")) for label in self.labels):
            raise ValueError("labels: names that start with _ or . are not for commands")
        one = self.labels and len(self.data.languages_of(self.labels)) < 2
        if one and self.multitask.language_weight > 0:
            raise ValueError(
                "multitask.language_weight: all labels are of one language; name the others' in "
                "[data.languages]"
            )
        aware = any(phase.quantization_aware for phase in self.phases)
        if aware and self.optimizer.precision != "float32":
            raise ValueError("optimizer.precision: a quantization_aware phase needs float32")

    def _check_net(self, net: NetConfig) -> None:
        if self.window_seconds:
            raise ValueError("window_seconds: is of a base; a net has its own sizes")
        if self.order:
            raise ValueError("order: is of a base; a net has [net.order]")
        if net.n_features != MFCC_40.n_mfcc:
            raise ValueError(f"net.n_features: the front end gives {MFCC_40.n_mfcc}")


def load_recipe(path: Path, *, base: str = "") -> tuple[Recipe, str]:
    """Read a recipe; return it with the sha256 of its bytes. ConfigError names the faulty key.

    A `base` takes the place of the recipe's, and its name is then hashed too.
    """
    recipe, text = read_settings(
        path, Recipe, what="the recipe", advice="models/recipes/ holds examples"
    )
    if not base:
        return recipe, hashlib.sha256(text).hexdigest()
    if not recipe.base:
        raise ConfigError(
            f"{path}: trains a net of its own; --base {base!r} needs a recipe with a base"
        )
    return replace(recipe, base=base), hashlib.sha256(text + base.encode()).hexdigest()


def require_commands(key: str, named: Sequence[str], commands: Sequence[str]) -> None:
    """Raise ConfigError for the first label named under a key that is no command."""
    if strange := [label for label in named if label not in commands]:
        raise ConfigError(
            f"recipe: {key}: {strange[0]!r} is no command; there is {', '.join(commands)}"
        )


def plan_digest(recipe: Recipe) -> str:
    """Return the sha256 of a recipe but for what may change when its loss was no number.

    That is how fast weights move: rates and their schedules, clipping, precision. What is frozen
    and how layers differ stays in it, as the optimizer's state is laid out by that.
    """
    usual = OptimizerRecipe()
    optimizer = replace(
        recipe.optimizer,
        gradient_clipping=usual.gradient_clipping,
        gradient_norm=usual.gradient_norm,
        precision=usual.precision,
    )
    phases = tuple(_without_rates(phase) for phase in recipe.phases)
    plan = replace(recipe, phases=phases, optimizer=optimizer)
    return hashlib.sha256(msgspec.json.encode(plan, order="sorted")).hexdigest()


def _without_rates(phase: PhaseRecipe) -> PhaseRecipe:
    return PhaseRecipe(
        epochs=phase.epochs,
        head_rate=float(phase.head_rate > 0),
        backbone_rate=float(phase.backbone_rate > 0),
        layer_decay=phase.layer_decay,
        unfreeze_fraction=phase.unfreeze_fraction,
        quantization_aware=phase.quantization_aware,
    )
