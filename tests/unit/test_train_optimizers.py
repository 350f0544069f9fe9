"""Optimizers: which weights they move, how fast each layer goes, and when it begins to."""

from itertools import pairwise
from typing import Final

import pytest
import torch
from torch import nn

from edgekws.specs import MFCC_40
from edgekws.train.nets import NetConfig, build_net
from edgekws.train.optimizers import (
    backbone_layers,
    build_optimizer,
    parameter_groups,
    training_mode,
)
from edgekws.train.recipe_training import OptimizerKind, OptimizerRecipe, PhaseRecipe
from tests.loops import net
from tests.runs import family

USUAL: Final = OptimizerRecipe()
KINDS: Final = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def phase_of(*, backbone: float = 0.001, decay: float = 1.0, unfreeze: float = 0.0) -> PhaseRecipe:
    return PhaseRecipe(
        epochs=4,
        head_rate=0.01,
        backbone_rate=backbone,
        layer_decay=decay,
        unfreeze_fraction=unfreeze,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_chooses_the_optimizer(kind: OptimizerKind) -> None:
    made = build_optimizer(net(), phase_of(), OptimizerRecipe(kind=kind, momentum=0.8))
    assert type(made) is KINDS[kind]
    group = made.param_groups[0]
    assert (group.get("momentum"), group.get("betas")) == {
        "sgd": (0, None),
        "momentum": (0.8, None),
    }.get(kind, (None, (0.8, 0.999)))


def test_the_usual_one_is_adamw_as_torch_has_it() -> None:
    made = build_optimizer(net(), phase_of(), USUAL)
    assert type(made) is torch.optim.AdamW
    assert made.defaults == torch.optim.AdamW([nn.Parameter(torch.zeros(1))]).defaults


def test_vectors_do_not_decay_and_what_is_frozen_is_not_optimized() -> None:
    start, frozen = net(), phase_of(backbone=0.0)
    groups = build_optimizer(start, frozen, USUAL).param_groups
    assert sum(p.numel() for g in groups for p in g["params"]) == sum(
        p.numel() for p in start.head.parameters()
    )
    assert all((g["weight_decay"] > 0) == (g["params"][0].ndim > 1) for g in groups)
    training_mode(start, frozen)
    assert start.training
    assert not any(module.training for module in start.backbone())


@family
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_every_weight_is_in_one_group(config: NetConfig, decay: float) -> None:
    made = build_net(config, 4)
    chosen = [p for g in parameter_groups(made, phase_of(decay=decay), USUAL) for p in g["params"]]
    assert sorted(map(id, chosen)) == sorted(map(id, made.parameters()))


@family
def test_layers_are_in_the_order_in_which_audio_goes_through_them(config: NetConfig) -> None:
    made, order = build_net(config, 4), []
    layers = backbone_layers(made)
    for layer in layers:
        layer.register_forward_hook(lambda module, _in, _out: order.append(module))
    made(torch.zeros(1, 8 * config.frames_per_score, MFCC_40.n_mfcc), made.zero_states(1))
    assert len(layers) > 2
    assert [id(layer) for layer in order] == [id(layer) for layer in layers]


def test_lower_layers_are_slower_by_the_decay() -> None:
    start = net()
    groups = parameter_groups(start, phase_of(decay=0.5), USUAL)
    rates = {id(p): group["peak"] for group in groups for p in group["params"]}
    assert {rates[id(p)] for p in start.head.parameters()} == {0.01}
    for number, layer in enumerate(reversed(backbone_layers(start))):
        assert {rates[id(p)] for p in layer.parameters()} == {0.001 * 0.5**number}


def test_layers_begin_to_learn_from_the_head_down() -> None:
    start = net()
    layers = backbone_layers(start)
    found = []
    for tenth in range(11):
        training_mode(start, phase_of(unfreeze=0.8), done=tenth / 10)
        learning = [all(p.requires_grad for p in layer.parameters()) for layer in layers]
        assert learning == sorted(learning)  # none below a frozen one
        assert learning == [layer.training for layer in layers]
        assert all(p.requires_grad for p in start.head.parameters())
        found.append(sum(learning))
    assert found[0] == 0
    assert found[8:] == [len(layers)] * 3
    assert all(0 <= after - before <= 1 for before, after in pairwise(found))
