"""A finished run for tests: a small net that tells rising, falling and steady tones apart."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekws.digest import sha256_hex
from edgekws.events import Pcm
from edgekws.runtime.figures import clip_report
from edgekws.specs import MFCC_40, SILENCE, UNKNOWN
from edgekws.train.frontend import TorchFrontend
from edgekws.train.nets import (
    BcResNetConfig,
    CrnnConfig,
    DsCnnConfig,
    EmbeddingConfig,
    NetConfig,
    StreamingNet,
    TcnConfig,
    build_net,
)
from edgekws.train.nets.crnn import ConvolutionConfig
from edgekws.train.nets.embedding import PairsConfig
from edgekws.train.nets.tcn import OrderConfig, StageConfig
from edgekws.train.run import (
    LabelFigures,
    Report,
    Run,
    RunSource,
    load_net,
    load_run,
    save_run,
)
from edgekws.train.stream import Stream, save_stream
from tests.once import made_once

RATE = MFCC_40.sample_rate
LABELS = (SILENCE, UNKNOWN, "rising", "falling")
CLIP = 4480  # samples: 26 frames, of which three steps take 24, the window of the net
STREAM_SECONDS = 40
STEPS, BATCH = 100, 48

SMALL_NET = TcnConfig(
    n_features=40,
    stem_channels=24,
    stem_kernel=5,
    stem_stride=2,
    stages=(
        StageConfig(channels=24, kernel=5, depth=2, blocks=1, stride=1),
        StageConfig(channels=32, kernel=5, depth=1, blocks=2, stride=2),
    ),
    embedding=32,
    pool_rows=6,
    dropout=0.0,
)
SMALL_ORDERED = msgspec.structs.replace(
    SMALL_NET, order=OrderConfig(channels=16, kernel=3, dilation=2), pool_rows=2
)
SMALL_DS_CNN = DsCnnConfig(
    n_features=40,
    mfcc=10,
    window_frames=24,
    step_frames=4,
    stem_kernel=(6, 4),
    stem_stride=(2, 2),
    channels=24,
    blocks=2,
    dropout=0.0,
)
SMALL_BC_RESNET = BcResNetConfig(
    n_features=40, width=2, blocks=(1, 1, 1, 1), step_frames=4, pool_rows=6, dropout=0.0
)
SMALL_GRU = CrnnConfig(
    n_features=40,
    stem=(
        ConvolutionConfig(channels=24, kernel=5, stride=2),
        ConvolutionConfig(channels=24, kernel=3, stride=2),
    ),
    cell="gru",
    hidden=24,
    layers=2,
    pool_rows=6,
    dropout=0.0,
)
SMALL_LSTM = msgspec.structs.replace(SMALL_GRU, cell="lstm", layers=1)
SMALL_EMBEDDING = EmbeddingConfig(
    n_features=40,
    stem_channels=8,
    stages=(
        PairsConfig(channels=8, pairs=1, stride=2),
        PairsConfig(channels=16, pairs=1, stride=1),
    ),
    embedding=24,
    hidden=16,
    pool_rows=4,
    dropout=0.0,
)
FAMILY: dict[str, NetConfig] = {
    "tcn": SMALL_NET,
    "ordered tcn": SMALL_ORDERED,
    "ds-cnn": SMALL_DS_CNN,
    "bc-resnet": SMALL_BC_RESNET,
    "gru": SMALL_GRU,
    "lstm": SMALL_LSTM,
    "speech-embedding": SMALL_EMBEDDING,
}
family = pytest.mark.parametrize("config", FAMILY.values(), ids=FAMILY)


class Trained(NamedTuple):
    """The net, its run, and the arrays of its folder."""

    run: Run
    net: StreamingNet
    heldout: Pcm
    truths: NDArray[np.int64]
    calibration: Pcm
    stream: Stream


@cache
def shaken_net(config: NetConfig, *, n_labels: int) -> StreamingNet:
    """Return a net in eval mode whose weights and batch norms are random and far from neutral."""
    with torch.inference_mode(mode=False):  # it is kept for those who want gradients too
        return _shaken_net(config, n_labels)


def _shaken_net(config: NetConfig, n_labels: int) -> StreamingNet:
    torch.set_num_threads(1)  # so small a net only loses by sharing
    torch.manual_seed(11)
    net = build_net(config, n_labels)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):  # by torch's default its net is nearly constant
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.5)
            module.running_var.uniform_(0.5, 2.0)
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(std=0.5)
    return net.eval()


def tone(label: int, rng: np.random.Generator) -> Pcm:
    """Return (CLIP,) samples of one class: nothing, a steady tone, one that rises or falls."""
    low, high = rng.uniform(200, 500), rng.uniform(1500, 3000)
    ends = {0: (low, low), 1: (low, low), 2: (low, high), 3: (high, low)}[label]
    hertz = np.linspace(*ends, CLIP)
    level = 0.0 if label == 0 else 10 ** rng.uniform(2.5, 4)
    audio = level * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    return (audio + rng.standard_normal(CLIP) * rng.uniform(5, 40)).astype(np.int16)


def tones(count: int, *, seed: int) -> tuple[Pcm, NDArray[np.int64]]:
    """Return so many clips, (count, CLIP), the classes taking turns."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(LABELS)
    return np.stack([tone(int(label), rng) for label in labels]), labels


def tone_stream(*, seed: int) -> Stream:
    """Return a quiet stream with tones laid in."""
    rng = np.random.default_rng(seed)
    pcm = (rng.standard_normal(STREAM_SECONDS * RATE) * 20).astype(np.int16)
    starts = range(RATE, len(pcm) - 2 * RATE, RATE + RATE // 2)
    truth = []
    for turn, start in enumerate(starts):
        label = 1 + turn % 3
        pcm[start : start + CLIP] += tone(label, rng)
        truth += [(start, start + CLIP, label)] if label > 1 else []
    return Stream(pcm, np.array(truth, np.int64), len(pcm) // 2)


def trained(config: NetConfig = SMALL_NET) -> Trained:
    """Train a net, once in a test run; a few seconds."""
    return _trained(config)


@cache
def _trained(config: NetConfig) -> Trained:
    """Read what whichever process of the test run came first has trained."""
    torch.set_num_threads(1)  # so small a net only loses by sharing
    name = f"trained-{sha256_hex(msgspec.json.encode(config))[:12]}"
    with torch.inference_mode(mode=False):  # it is kept for those who want gradients too
        folder = made_once(name, lambda folder: save_run(folder, *_train(config)))
        run = load_run(folder)
        net = load_net(folder, run)
    heldout, truths = tones(80, seed=2)
    calibration, _ = tones(40, seed=3)
    return Trained(run, net, heldout, truths, calibration, tone_stream(seed=4))


def _train(config: NetConfig) -> tuple[Run, StreamingNet]:
    torch.manual_seed(5)
    net, frontend = build_net(config, len(LABELS)), TorchFrontend(MFCC_40)
    pcm, labels = tones(8 * BATCH, seed=1)
    with torch.inference_mode():
        cepstra = frontend(torch.from_numpy(pcm.astype(np.float32)))[:, : config.window_frames]
    mean, scale = cepstra.mean((0, 1)), 1 / cepstra.std((0, 1))
    features, targets = (cepstra - mean) * scale, torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.005)
    for step in range(STEPS):
        rows = torch.arange(step * BATCH, (step + 1) * BATCH) % len(features)
        heard = features[rows]
        if isinstance(config, BcResNetConfig | CrnnConfig):  # they remember more than one clip
            heard = torch.cat((features[rows.roll(step)], heard), dim=1)
        logits = net.last_rows(heard, 1)[:, 0]
        loss = torch.nn.functional.cross_entropy(logits, targets[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return _run(net, mean=mean.tolist(), scale=scale.tolist()), net.eval()


def write_run(folder: Path, config: NetConfig = SMALL_NET) -> Path:
    """Write the finished run as `adapt` leaves it; return its folder."""
    made = trained(config)
    save_run(folder, made.run, made.net)
    np.savez(folder / "heldout.npz", pcm=made.heldout, labels=made.truths)
    np.savez(folder / "calibration.npz", pcm=made.calibration)
    save_stream(folder / "stream.npz", made.stream)
    return folder


def _run(net: StreamingNet, *, mean: list[float], scale: list[float]) -> Run:
    source = RunSource(name="tones", licence="CC0-1.0", url="")
    return Run(
        schema=1,
        name="tones",
        version="1",
        labels=LABELS,
        features=MFCC_40,
        mean=tuple(mean),
        scale=tuple(scale),
        net=net.config,
        recipe_sha256="0" * 64,
        base=source,
        data=(source,),
        split="clip-disjoint",
        report=_perfect_report(),
        false_accepts_per_hour_budget=60.0,
        triggers={},
        stream_metrics=(),
    )


def _perfect_report() -> Report:
    figures = clip_report(LABELS, LABELS, LABELS)
    return Report(
        accuracy=figures.accuracy,
        macro_f1=figures.macro_f1,
        clips=figures.clips,
        split="clip-disjoint",
        labels=LABELS,
        per_label={
            label: LabelFigures(precision=f.precision, recall=f.recall, f1=f.f1, clips=f.clips)
            for label, f in figures.per_label.items()
        },
        confusion=tuple(tuple(figures.confusion[a][b] for b in LABELS) for a in LABELS),
    )
