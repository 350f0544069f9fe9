"""The net in clip mode and in streaming mode gives the same rows, whatever the steps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.train.nets import StreamingTcn, TcnConfig
from edgekws.train.nets.tcn import StageConfig
from tests.parity.tolerances import STREAMING_LOGITS
from tests.runs import SMALL_NET, shaken_net

FRAMES = 96


def net_of_other_shape() -> TcnConfig:
    """Return a net of another depth, strides 3 and 1, without residual paths."""
    stages = (
        StageConfig(channels=12, kernel=7, depth=3, blocks=1, stride=1),
        StageConfig(channels=10, kernel=3, depth=1, blocks=2, stride=1),
    )
    return TcnConfig(
        n_features=40,
        stem_channels=8,
        stem_kernel=5,
        stem_stride=3,
        stages=stages,
        embedding=9,
        pool_rows=5,
        dropout=0.3,
    )


def stream(net: StreamingTcn, x: torch.Tensor, steps: list[int]) -> torch.Tensor:
    """Return the logits of (batch, frames, n_features) taken in portions of so many frames."""
    states, rows, at = net.zero_states(len(x)), [], 0
    for step in steps:
        logits, states = net(x[:, at : at + step], states)
        rows.append(logits)
        at += step
    assert at == x.shape[1]
    return torch.cat(rows, dim=1)


@torch.inference_mode()
@pytest.mark.parametrize("config", [SMALL_NET, net_of_other_shape()], ids=["small", "other"])
@pytest.mark.parametrize("portion", [1, 2, 4, 8])
def test_equal_steps_give_the_rows_of_the_clip(config: TcnConfig, portion: int) -> None:
    net, step = shaken_net(config, n_labels=5), portion * config.frames_per_score
    x = torch.randn(3, 4 * step, config.n_features, generator=torch.Generator().manual_seed(1))
    whole, _ = net(x, net.zero_states(3))
    assert whole.shape == (3, 4 * portion, 5)
    torch.testing.assert_close(stream(net, x, [step] * 4), whole, rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, FRAMES // SMALL_NET.frames_per_score - 1)))
def test_any_steps_give_the_rows_of_the_clip(cuts: set[int]) -> None:
    net, per_row = shaken_net(SMALL_NET, n_labels=4), SMALL_NET.frames_per_score
    x = torch.randn(1, FRAMES, SMALL_NET.n_features, generator=torch.Generator().manual_seed(2))
    ends = [*sorted(cut * per_row for cut in cuts), FRAMES]
    steps = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    whole, _ = net(x, net.zero_states())
    torch.testing.assert_close(stream(net, x, steps), whole, rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
def test_a_row_does_not_know_the_future() -> None:
    net, half = shaken_net(SMALL_NET, n_labels=4), FRAMES // 2
    x = torch.randn(1, FRAMES, SMALL_NET.n_features, generator=torch.Generator().manual_seed(3))
    other = x.clone()
    other[:, half:] = 7.0
    (a, _), (b, _) = net(x, net.zero_states()), net(other, net.zero_states())
    rows = half // SMALL_NET.frames_per_score
    torch.testing.assert_close(a[:, :rows], b[:, :rows], rtol=0, atol=STREAMING_LOGITS)
    assert not torch.allclose(a[:, rows:], b[:, rows:], atol=0.01)


@torch.inference_mode()
def test_the_past_is_forgotten_after_a_finite_time() -> None:
    net = shaken_net(SMALL_NET, n_labels=4)
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(2, 240, SMALL_NET.n_features, generator=generator)
    noise[:, 40:] = noise[:1, 40:]
    logits, _ = net(noise, net.zero_states(2))
    torch.testing.assert_close(logits[0, -1], logits[1, -1], rtol=0, atol=STREAMING_LOGITS)
