"""What a sweep may change of a recipe, and how far: a point of a space becomes a recipe."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import fields, replace

from edgekws.audio.extras import load_extra
from edgekws.specs import Spec
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_data import AugmentRecipe
from edgekws.train.recipe_training import PhaseRecipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FACTOR = (0.25, 4.0)  # of the recipe's learning rates
STRENGTH = (0.25, 1.5)  # of the recipe's augmentation
UNKNOWN_FRACTION = (0.1, 0.6)
LABEL_SMOOTHING = (0.0, 0.2)


class Point(Spec, frozen=True):
    """What one trial of a sweep trains with; the factors are of the recipe's own values."""

    unknown_fraction: float
    label_smoothing: float
    augmentation_factor: float
    head_rate_factor: float
    backbone_rate_factor: float = 1.0
    """Searched where a phase of the recipe trains the backbone."""
    first_epochs: int = 0
    """Epochs of the first phase, the second has the rest of their sum; 0 keeps the recipe's."""


@dataclass(frozen=True, slots=True)
class Space:
    """The points around a recipe."""

    recipe: Recipe

    def start(self) -> Point:
        """Return the recipe itself as a point: what a sweep finds is never worse than it."""
        return Point(
            unknown_fraction=self.recipe.data.unknown_fraction,
            label_smoothing=self.recipe.optimizer.label_smoothing,
            augmentation_factor=1.0,
            head_rate_factor=1.0,
            backbone_rate_factor=1.0,
            first_epochs=self.recipe.phases[0].epochs if self._can_shift_epochs() else 0,
        )

    def distributions(self) -> "dict[str, BaseDistribution]":
        """Return the ranges by the names of Point, as Optuna wants them."""
        optuna = load_extra("optuna", extra="sweep", purpose="a sweep")
        real, whole = (
            optuna.distributions.FloatDistribution,
            optuna.distributions.IntDistribution,
        )
        start = self.start()
        ranges = {
            "unknown_fraction": real(*_holding(UNKNOWN_FRACTION, start.unknown_fraction)),
            "label_smoothing": real(*_holding(LABEL_SMOOTHING, start.label_smoothing)),
            "augmentation_factor": real(*STRENGTH),
            "head_rate_factor": real(*FACTOR, log=True),
        }
        if any(phase.backbone_rate for phase in self.recipe.phases):
            ranges["backbone_rate_factor"] = real(*FACTOR, log=True)
        if self._can_shift_epochs():
            ranges["first_epochs"] = whole(1, self._epochs_of_two() - 1)
        return ranges

    def recipe_at(self, point: Point) -> Recipe:
        """Return the recipe of a point."""
        recipe = self.recipe
        return replace(
            recipe,
            phases=tuple(_at_rates(phase, point) for phase in self._phases(point.first_epochs)),
            data=replace(recipe.data, unknown_fraction=point.unknown_fraction),
            optimizer=replace(recipe.optimizer, label_smoothing=point.label_smoothing),
            augment=_augment(recipe.augment, point.augmentation_factor),
        )

    def _can_shift_epochs(self) -> bool:
        return len(self.recipe.phases) > 1 and self._epochs_of_two() > 2

    def _epochs_of_two(self) -> int:
        return sum(phase.epochs for phase in self.recipe.phases[:2])

    def _phases(self, first_epochs: int) -> tuple[PhaseRecipe, ...]:
        if not first_epochs:
            return self.recipe.phases
        first, second, *others = self.recipe.phases
        rest = self._epochs_of_two() - first_epochs
        return (replace(first, epochs=first_epochs), replace(second, epochs=rest), *others)


def _holding(bounds: tuple[float, float], value: float) -> tuple[float, float]:
    """Return bounds wide enough for the recipe's own value."""
    return min(bounds[0], value), max(bounds[1], value)


def _at_rates(phase: PhaseRecipe, point: Point) -> PhaseRecipe:
    return replace(
        phase,
        head_rate=min(1.0, phase.head_rate * point.head_rate_factor),
        backbone_rate=min(1.0, phase.backbone_rate * point.backbone_rate_factor),
    )


def _augment(augment: AugmentRecipe, factor: float) -> AugmentRecipe:
    """Return it stronger or weaker: its probabilities, and the widths of its masks."""
    likely = {
        field.name: min(1.0, getattr(augment, field.name) * factor)
        for field in fields(augment)
        if field.name.endswith("_probability")
    }
    return replace(
        augment,
        **likely,
        frequency_mask_bands=round(augment.frequency_mask_bands * factor),
        time_mask_frames=round(augment.time_mask_frames * factor),
    )
