"""The net in clip mode and in streaming mode gives the same rows, whatever the steps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.specs import MFCC_40
from edgekws.train.frontend import TorchFrontend
from edgekws.train.nets import (
    BcResNetConfig,
    CrnnConfig,
    DsCnnConfig,
    EmbeddingConfig,
    NetConfig,
    StreamingNet,
    StreamingTcn,
    TcnConfig,
)
from edgekws.train.nets.broadcast import BandsOfCepstra, SubSpectralNorm
from edgekws.train.nets.causal import SlidingPool
from edgekws.train.nets.crnn import ConvolutionConfig
from edgekws.train.nets.embedding import PairsConfig
from edgekws.train.nets.tcn import StageConfig
from tests.parity.tolerances import STREAMING_LOGITS
from tests.runs import FAMILY, SMALL_DS_CNN, SMALL_NET, SMALL_ORDERED, family, shaken_net

FRAMES = 96


def other_tcn() -> TcnConfig:
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


def other_ds_cnn() -> DsCnnConfig:
    """Return a net that takes all coefficients, with even and odd padding and a long step."""
    return DsCnnConfig(
        n_features=40,
        mfcc=40,
        window_frames=30,
        step_frames=10,
        stem_kernel=(10, 3),
        stem_stride=(3, 3),
        channels=7,
        blocks=1,
        dropout=0.3,
    )


def other_bc_resnet() -> BcResNetConfig:
    """Return a wider net with a step of odd length and two blocks at most in a stage."""
    return BcResNetConfig(
        n_features=40, width=1.5, blocks=(2, 1, 1, 2), step_frames=3, pool_rows=5, dropout=0.3
    )


def other_crnn() -> CrnnConfig:
    """Return a net of two LSTM layers over one convolution that strides by 3."""
    return CrnnConfig(
        n_features=40,
        stem=(ConvolutionConfig(channels=14, kernel=3, stride=3),),
        cell="lstm",
        hidden=11,
        layers=2,
        pool_rows=3,
        dropout=0.3,
    )


def other_embedding() -> EmbeddingConfig:
    """Return a net that halves an odd number of bands and strides over time once, by 3."""
    return EmbeddingConfig(
        n_features=11,
        stem_channels=6,
        stages=(
            PairsConfig(channels=5, pairs=2, stride=1),
            PairsConfig(channels=7, pairs=1, stride=3),
            PairsConfig(channels=8, pairs=1, stride=1),
        ),
        embedding=9,
        hidden=6,
        pool_rows=3,
        dropout=0.3,
    )


OTHERS: dict[str, NetConfig] = {
    "other tcn": other_tcn(),
    "finer tcn": other_tcn().finer(1),
    "finer ordered tcn": SMALL_ORDERED.finer(2),
    "other ds-cnn": other_ds_cnn(),
    "other bc-resnet": other_bc_resnet(),
    "other crnn": other_crnn(),
    "other speech-embedding": other_embedding(),
}
everyone = pytest.mark.parametrize(
    "config", [*FAMILY.values(), *OTHERS.values()], ids=[*FAMILY, *OTHERS]
)


def random_features(config: NetConfig, *, batch: int, frames: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, frames, config.n_features, generator=generator)


def stream(net: StreamingNet, x: torch.Tensor, steps: list[int]) -> torch.Tensor:
    """Return the logits of (batch, frames, n_features) taken in portions of so many frames."""
    states, rows, at = net.zero_states(len(x)), [], 0
    for step in steps:
        logits, states = net(x[:, at : at + step], states)
        rows.append(logits)
        at += step
    assert at == x.shape[1]
    return torch.cat(rows, dim=1)


@torch.inference_mode()
@everyone
@pytest.mark.parametrize("portion", [1, 2, 4, 8])
def test_equal_steps_give_the_rows_of_the_clip(config: NetConfig, portion: int) -> None:
    net, step = shaken_net(config, n_labels=5), portion * config.frames_per_score
    x = random_features(config, batch=3, frames=4 * step, seed=1)
    whole, _ = net(x, net.zero_states(3))
    assert whole.shape == (3, 4 * portion, 5)
    torch.testing.assert_close(stream(net, x, [step] * 4), whole, rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
@pytest.mark.parametrize("config", [other_tcn(), SMALL_NET, SMALL_ORDERED])
@pytest.mark.parametrize("frames", [1, 2])
def test_a_finer_net_gives_each_row_that_the_strided_one_gives(
    config: TcnConfig, frames: int
) -> None:
    """Below the pool, which in the finer net has also what lies between the rows."""
    finer = config.finer(frames)
    assert frames % finer.frames_per_score == 0
    assert finer.window_frames == config.window_frames
    usual, often = (StreamingTcn(each, n_labels=5).eval() for each in (config, finer))
    often.load_state_dict(usual.state_dict())
    for net in (usual, often):
        net.pool = SlidingPool(net.pool.channels, 1)
    x = random_features(config, batch=2, frames=24 * config.frames_per_score, seed=4)
    rows = often.last_rows(x, 24 * finer.apart)
    every = rows[:, finer.apart - 1 :: finer.apart]
    torch.testing.assert_close(every, usual.last_rows(x, 24), rtol=0, atol=STREAMING_LOGITS)


def test_a_net_that_is_fine_enough_stays_as_it_is() -> None:
    assert SMALL_NET.finer(8) == SMALL_NET
    assert SMALL_NET.finer(6).frames_per_score == 2
    assert SMALL_NET.finer(2).finer(1) == SMALL_NET.finer(1)


@torch.inference_mode()
@family
@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, FRAMES // 4 - 1)))
def test_any_steps_give_the_rows_of_the_clip(config: NetConfig, cuts: set[int]) -> None:
    net, per_row = shaken_net(config, n_labels=4), config.frames_per_score
    x = random_features(config, batch=1, frames=FRAMES, seed=2)
    ends = [*sorted(cut * per_row for cut in cuts), FRAMES]
    steps = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    whole, _ = net(x, net.zero_states())
    torch.testing.assert_close(stream(net, x, steps), whole, rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
@family
def test_a_row_does_not_know_the_future(config: NetConfig) -> None:
    net, half = shaken_net(config, n_labels=4), FRAMES // 2
    x = random_features(config, batch=1, frames=FRAMES, seed=3)
    other = x.clone()
    other[:, half:] = 7.0
    (a, _), (b, _) = net(x, net.zero_states()), net(other, net.zero_states())
    rows = half // config.frames_per_score
    torch.testing.assert_close(a[:, :rows], b[:, :rows], rtol=0, atol=STREAMING_LOGITS)
    assert not torch.allclose(a[:, rows:], b[:, rows:], atol=0.01)


@torch.inference_mode()
@family
def test_the_past_is_forgotten_after_a_finite_time(config: NetConfig) -> None:
    net = shaken_net(config, n_labels=4)
    noise = random_features(config, batch=2, frames=240, seed=4)
    noise[:, 40:] = noise[:1, 40:]
    logits, _ = net(noise, net.zero_states(2))
    torch.testing.assert_close(logits[0, -1], logits[1, -1], rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
@everyone
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_last_rows_are_those_of_the_clip(config: NetConfig, count: int) -> None:
    net = shaken_net(config, n_labels=4)
    x = random_features(config, batch=2, frames=5 * config.frames_per_score, seed=5)
    whole, _ = net(x, net.zero_states(2))
    last = net.last_rows(x, count)
    torch.testing.assert_close(last, whole[:, -count:], rtol=0, atol=STREAMING_LOGITS)
    first = net.last_rows(x[:, : config.frames_per_score], count)  # there are no more
    torch.testing.assert_close(first, whole[:, :1], rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
@pytest.mark.parametrize("config", [SMALL_DS_CNN, other_ds_cnn()])
def test_a_windowed_row_is_over_exactly_its_window(config: DsCnnConfig) -> None:
    net, step, window = shaken_net(config, n_labels=4), config.step_frames, config.window_frames
    rows = 8
    x = random_features(config, batch=1, frames=rows * step, seed=6)
    whole, _ = net(x, net.zero_states())
    for frame in (0, step - 1, 3 * step + 1):
        other = x.clone()
        other[:, frame, : config.mfcc] += 3.0
        other[:, :, config.mfcc :] += 9.0  # of no concern
        changed = (net(other, net.zero_states())[0] - whole).abs().amax(dim=2)[0] > 0.0
        first, end = frame // step, frame // step + window // step
        assert changed.tolist() == [first <= row < end for row in range(rows)]


@torch.inference_mode()
def test_before_the_stream_a_window_holds_zeros() -> None:
    net, config = shaken_net(SMALL_DS_CNN, n_labels=4), SMALL_DS_CNN
    x = random_features(config, batch=1, frames=FRAMES, seed=7)
    silence = torch.zeros(1, config.window_frames, config.n_features)
    fresh, _ = net(x, net.zero_states())
    later, _ = net(torch.cat((silence, x), dim=1), net.zero_states())
    torch.testing.assert_close(later[:, -fresh.shape[1] :], fresh, rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
@everyone
def test_the_cost_is_what_a_row_computes(config: NetConfig) -> None:
    net, macs = shaken_net(config, n_labels=4), []

    def count(layer: torch.nn.Module, _: object, y: torch.Tensor | tuple[torch.Tensor]) -> None:
        out = y if isinstance(y, torch.Tensor) else y[0]
        macs.append(macs_of(layer, out))

    hooks = [layer.register_forward_hook(count) for layer in net.modules()]
    net(torch.zeros(1, config.frames_per_score, config.n_features), net.zero_states())
    for hook in hooks:
        hook.remove()
    assert net.cost() == (sum(p.numel() for p in net.parameters()), sum(macs))


def macs_of(layer: torch.nn.Module, out: torch.Tensor) -> int:
    """Return the multiply-accumulates behind an output; batch norm has none, but by bands it has.

    Of a convolution (1, channels, ...), else (1, rows, channels).
    """
    match layer:
        case torch.nn.Conv1d() | torch.nn.Conv2d():
            places = out.numel() // layer.out_channels
            return places * layer.weight.numel()
        case torch.nn.Linear():
            return out.numel() * layer.in_features
        case torch.nn.GRU() | torch.nn.LSTM():
            weights = (layer.weight_ih_l0, layer.weight_hh_l0)
            return out.shape[1] * sum(weight.numel() for weight in weights)
        case SubSpectralNorm():
            return out.numel()
        case BandsOfCepstra():
            return out.numel() * out.shape[2]
    return 0


@torch.inference_mode()
def test_a_bc_resnet_sees_the_log_mel_bands_that_the_cepstra_were_made_of() -> None:
    frontend, bands = TorchFrontend(MFCC_40), BandsOfCepstra(MFCC_40.n_mfcc)
    audio = 1000 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(8))
    log_mel = frontend.log_mel(audio)
    cepstra = frontend.cepstra(log_mel)
    bands.gain.fill_(0.5)
    bands.offset.fill_(-1.0)
    torch.testing.assert_close(bands(cepstra), log_mel / 2 - 1, rtol=0, atol=STREAMING_LOGITS)


@torch.inference_mode()
def test_a_sub_spectral_norm_is_one_factor_and_term_for_each_band() -> None:
    torch.manual_seed(9)
    norm = SubSpectralNorm(3, groups=5)
    for _ in range(3):
        norm(2 + torch.randn(4, 3, 10, 7) * torch.arange(1, 11)[:, None])
    x = torch.randn(2, 3, 10, 6)
    gain, factor, term = norm.eval().affine(10)
    assert len(factor[0].unique()) == len(term[0].unique()) == 5
    assert factor.abs().max() <= 1.0
    expected = x * (gain[:, None] * factor)[:, :, None] + term[:, :, None]
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=STREAMING_LOGITS)
