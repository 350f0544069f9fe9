"""Rounded training: int8 numbers forward, whole gradients back, weights as they were after."""

import pytest
import torch
from torch import nn

from edgekws.train.nets import NetConfig, build_net
from edgekws.train.quantization import (
    ACTIVATION_LEVELS,
    WEIGHT_LEVELS,
    round_activation,
    round_weight,
    rounded,
)
from tests.runs import SMALL_BC_RESNET, SMALL_GRU


@pytest.fixture
def layers() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), nn.Conv1d(8, 2, 1))


def test_a_weight_takes_seven_bits_per_output_channel() -> None:
    weight = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1))
    for channel, before in zip(round_weight(weight), weight, strict=True):
        scale = before.abs().max() / WEIGHT_LEVELS
        steps = channel / scale
        assert torch.allclose(steps, steps.round(), atol=1e-4)
        assert (channel - before).abs().max() <= scale / 2 + 1e-7
    assert torch.equal(round_weight(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_an_activation_takes_256_values_and_keeps_zero() -> None:
    x = torch.cat((torch.zeros(1), torch.randn(5000, generator=torch.Generator().manual_seed(1))))
    y = round_activation(x)
    assert y[0] == 0.0
    assert len(y.unique()) <= ACTIVATION_LEVELS + 1
    assert (y - x).abs().max() <= (x.max() - x.min()) / ACTIVATION_LEVELS


def test_inside_the_net_computes_rounded_and_outside_as_before(layers: nn.Module) -> None:
    x = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(2))
    before = [parameter.clone() for parameter in layers.parameters()]
    plain = layers(x)
    with rounded(layers):
        inside = layers(x)
    assert 0.0 < (inside - plain).abs().max() < 0.1
    assert all(torch.equal(a, b) for a, b in zip(before, layers.parameters(), strict=True))
    assert torch.equal(layers(x), plain)


def test_gradients_reach_every_weight(layers: nn.Module) -> None:
    with rounded(layers):
        layers(torch.ones(1, 3, 20)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layers.parameters())


def test_a_failure_inside_puts_the_weights_back(layers: nn.Module) -> None:
    before = [parameter.clone() for parameter in layers.parameters()]
    with pytest.raises(ValueError, match="stop"), rounded(layers):
        raise ValueError("stop")
    assert all(torch.equal(a, b) for a, b in zip(before, layers.parameters(), strict=True))


@pytest.mark.parametrize("config", [SMALL_BC_RESNET, SMALL_GRU], ids=["bc-resnet", "gru"])
def test_nets_of_other_layers_compute_rounded_too(config: NetConfig) -> None:
    torch.manual_seed(4)
    net = build_net(config, 4).eval()
    x = torch.randn(2, 48, 40, generator=torch.Generator().manual_seed(3))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    plain = net.last_rows(x, 1)
    with rounded(net):
        for name, weight in net.named_parameters():
            if weight.ndim > 1:
                levels = weight / weight.flatten(1).abs().amax(1).reshape(
                    -1, *[1] * (weight.ndim - 1)
                )
                steps = levels.nan_to_num() * WEIGHT_LEVELS
                assert torch.allclose(steps, steps.round(), atol=1e-3), name
        inside = net.last_rows(x, 1)
    assert 0.0 < (inside - plain).abs().max() < 0.5
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
