"""Every option of a recipe in the loop: it learns, and interrupted it goes on as never stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

from edgekws.errors import ConfigError
from edgekws.train.checkpoint import load_checkpoint
from edgekws.train.loop import CHECKPOINT_FILE
from edgekws.train.losses import Heard
from edgekws.train.recipe import Recipe
from tests.loops import (
    SAME,
    Options,
    Phases,
    StoppedError,
    StopsAt,
    largest_difference,
    log_of,
    recipe,
    trainer,
    with_options,
)
from tests.training import quiet

PHASES: Final[Phases] = ((3, 0.02, 0.01),)
OTHER_SHA: Final = "f" * 64
LEARNED: Final = 0.85  # of the loss of the first epoch; measured 0.1 to 0.7 after the third

OPTIONS: Final[dict[str, tuple[Options, Options]]] = {  # of the phase, of the optimizer
    "sgd": ({}, {"kind": "sgd", "weight_decay": 0.0}),
    "momentum": ({}, {"kind": "momentum"}),
    "adam": ({}, {"kind": "adam"}),
    "fixed": ({"schedule": "fixed"}, {}),
    "stepped": ({"schedule": "stepped", "drop_epochs": 1}, {}),
    "one-cycle": ({"schedule": "one-cycle", "warmup_fraction": 0.3}, {}),
    "plateau": ({"schedule": "plateau", "drop_epochs": 1}, {}),
    "layer_decay": ({"layer_decay": 0.7}, {}),
    "unfreezing": ({"unfreeze_fraction": 0.6}, {}),
    "uniform": ({}, {"average": "uniform", "average_epochs": 2}),
    "no average": ({}, {"average": "none"}),
    "squared error": ({}, {"loss": "squared-error"}),
    "focal": ({}, {"loss": "focal"}),
    "max-pooling": ({}, {"loss": "max-pooling", "scored_frames": 24}),
    "by value": ({}, {"gradient_clipping": "value", "gradient_norm": 0.1}),
    "L1": ({}, {"gradient_clipping": "l1", "gradient_norm": 50.0}),
    "bfloat16": ({}, {"precision": "bfloat16"}),
}


def chosen(name: str, *, phases: Phases = PHASES) -> Recipe:
    phase, optimizer = OPTIONS[name]
    rates = tuple((n, 10 * head, 10 * rest) for n, head, rest in phases)
    fast = name in ("sgd", "momentum")  # these take no step of their own size
    return with_options(
        recipe(rates if fast else phases, examples=320), phase=phase, optimizer=optimizer
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_it_learns_and_going_on_gives_what_an_uninterrupted_run_gives(
    tmp_path: Path, name: str
) -> None:
    whole = trainer(tmp_path / "whole", chosen(name)).run()
    losses = [line["training_loss"] for line in log_of(tmp_path / "whole")]
    assert len(losses) == 3
    assert losses[-1] < LEARNED * losses[0]
    assert all(torch.isfinite(tensor).all() for tensor in whole.state_dict().values())
    with pytest.raises(StoppedError):
        trainer(tmp_path / "cut", chosen(name), reporter=StopsAt(epoch=2, batch=3)).run()
    assert largest_difference(trainer(tmp_path / "cut", chosen(name)).run(), whole) <= SAME


def test_plateau_lowers_the_rates_when_nothing_gets_better_and_remembers_it(tmp_path: Path) -> None:
    phase: Options = {"schedule": "plateau", "drop_epochs": 2, "drop_factor": 0.5}
    hopeless = with_options(recipe(((6, 1e-12, 0.0), (1, 1e-12, 0.0)), examples=32), phase=phase)
    with pytest.raises(StoppedError):
        trainer(tmp_path, hopeless, reporter=StopsAt(epoch=4, batch=1)).run()
    trainer(tmp_path, hopeless).run()
    rates = [line["learning_rate"] / 1e-12 for line in log_of(tmp_path)]
    assert rates == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 1.0])  # anew in the next phase


def test_the_uniform_mean_is_that_of_the_weights_of_the_last_epochs(tmp_path: Path) -> None:
    one_step = replace(recipe(((3, 0.01, 0.0),), examples=32), seed=2)
    mean = with_options(one_step, optimizer={"average": "uniform", "average_epochs": 2})
    single = with_options(one_step, optimizer={"average": "none"})
    heads = []
    for epoch in (2, 3):
        with pytest.raises(StoppedError):
            trainer(tmp_path / "one", single, reporter=StopsAt(epoch=epoch, batch=None)).run()
        heads.append(checkpoint_part(tmp_path / "one", "average")["head.weight"])
    with pytest.raises(StoppedError):
        trainer(tmp_path / "mean", mean, reporter=StopsAt(epoch=3, batch=None)).run()
    together = checkpoint_part(tmp_path / "mean", "average")["head.weight"]
    assert float((together - (heads[0] + heads[1]) / 2).abs().max()) <= SAME


def checkpoint_part(folder: Path, part: str) -> dict[str, torch.Tensor]:
    held = load_checkpoint(folder / CHECKPOINT_FILE)
    assert held is not None
    return held.part(part)


@dataclass(slots=True)
class FailsAt:
    """A teacher who says nothing, and no number from a batch on."""

    batch: int
    weight: float = 0.5
    heard: int = 0

    def loss(self, heard: Heard) -> Tensor:
        self.heard += 1
        return heard.logits.sum() * (0.0 if self.heard < self.batch else torch.nan)


STEADY: Final = recipe(((1, 0.01, 0.005), (1, 0.01, 0.005)))  # four batches in each of two epochs


def test_a_loss_that_is_no_number_keeps_the_last_good_weights_and_says_the_step(
    tmp_path: Path,
) -> None:
    with pytest.raises(StoppedError):
        trainer(tmp_path, STEADY, reporter=StopsAt(epoch=1, batch=None)).run()
    good = checkpoint_part(tmp_path, "net")
    with pytest.raises(ConfigError) as caught:
        trainer(tmp_path, STEADY, teacher=FailsAt(3)).run()
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "recipe 'small': the loss is no number any more at step 3 of epoch 2; "
        "lower the rates of phase 2, and training goes on after epoch 1"
    )
    kept = checkpoint_part(tmp_path, "net")
    assert all(torch.equal(kept[name], tensor) for name, tensor in good.items())
    assert [line["epoch"] for line in log_of(tmp_path)] == [1]


SLOWER: Final = with_options(
    STEADY, phase={"head_rate": 0.001, "schedule": "fixed"}, optimizer={"gradient_norm": 1.0}
)


def test_after_that_it_goes_on_with_lower_rates(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="step 2 of epoch 2"):
        trainer(tmp_path, STEADY, teacher=FailsAt(6)).run()
    reporter = quiet()
    best = trainer(tmp_path, SLOWER, sha256=OTHER_SHA, reporter=reporter).run()
    assert "going on after epoch 1" in reporter.out.getvalue()  # type: ignore[attr-defined]
    assert all(torch.isfinite(tensor).all() for tensor in best.state_dict().values())
    assert [line["learning_rate"] for line in log_of(tmp_path)][1] == 0.001


@pytest.mark.parametrize("other", ["another batch size", "a run that did not fail"])
def test_nothing_else_goes_on_from_the_checkpoint_of_another_recipe(
    tmp_path: Path, other: str
) -> None:
    changed, teacher = SLOWER, FailsAt(6)
    if other == "another batch size":
        changed = with_options(SLOWER, optimizer={"batch": 16})
        with pytest.raises(ConfigError):
            trainer(tmp_path, STEADY, teacher=teacher).run()
    else:
        trainer(tmp_path, STEADY).run()
    reporter = quiet()
    trainer(tmp_path, changed, sha256=OTHER_SHA, reporter=reporter).run()
    assert "starting over" in reporter.out.getvalue()  # type: ignore[attr-defined]


def test_in_the_first_epoch_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"step 1 of epoch 1; lower the rates of phase 1$"):
        trainer(tmp_path, STEADY, teacher=FailsAt(1)).run()
    assert not (tmp_path / CHECKPOINT_FILE).exists()
