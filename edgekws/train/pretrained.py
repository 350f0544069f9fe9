"""What an adaptation starts from: a shipped base, any finished run, or speech_embedding."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from msgspec.structs import replace

from edgekws.errors import ConfigError
from edgekws.specs import LOGMEL_32, RESERVED_LABELS
from edgekws.train import teacher_file
from edgekws.train.nets import (
    EmbeddingConfig,
    EmbeddingNet,
    NetConfig,
    StreamingNet,
    TcnConfig,
    build_net,
)
from edgekws.train.nets.embedding import SPEECH_EMBEDDING
from edgekws.train.nets.tcn import OrderConfig
from edgekws.train.run import RUN_FILE, LabelFigures, Report, Run, RunSource, load_net, load_run
from edgekws.train.speech_embedding import load_backbone

SHIPPED: Final = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True, slots=True)
class Base:
    """A trained net and what is known of it."""

    run: Run
    net: StreamingNet


def find_base(name: str) -> Path:
    """Return the folder of a base: a path, or a name under ./models or the shipped models."""
    places = [Path(name), Path("models") / name, SHIPPED / name]
    for place in places:
        if (place / RUN_FILE).is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(f"base {name!r}: no finished run in {looked}; name a folder with a run.json")


def find_published(name: str, *, key: str) -> Path:
    """Return an embedding's file: a path, or NAME.onnx in ./models, the shipped ones or the venv.

    `key` is what asked for it, for the ConfigError where there is none.
    """
    folders = [Path("models"), SHIPPED, Path(sys.prefix)]
    places = [Path(name), *(folder / f"{name}.onnx" for folder in folders)]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(
        f"{key} {name!r}: no file in {looked}; `edgekws fetch {teacher_file.NAME}` brings it"
    )


def load_base(name: str) -> Base:
    """Load a base; ConfigError where there is none of that name, RunError where it is damaged.

    "speech-embedding", or the path of its .onnx file, is the published net.
    """
    if name == teacher_file.NAME or Path(name).suffix == ".onnx":
        return published_base(find_published(name, key="base"))
    folder = find_base(name)
    run = load_run(folder)
    return Base(run, load_net(folder, run))


@torch.no_grad()
def published_base(path: Path) -> Base:
    """Return the published speech_embedding under a head that knows nothing yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # what is above the published net begins alike everywhere
        net = EmbeddingNet(SPEECH_EMBEDDING, n_labels=len(RESERVED_LABELS))
        net.body = load_backbone(path)
    net.head.weight.zero_()
    net.head.bias.zero_()
    return Base(_published_run(), net.eval())


def _published_run() -> Run:
    """Return what is known of the published net; no recording has measured it here."""
    source = RunSource(
        name=f"{teacher_file.CREDIT}, from the wheel {teacher_file.WHEEL}",
        licence=teacher_file.LICENCE,
        url=teacher_file.PAPER,
    )
    nothing = LabelFigures(precision=0.0, recall=0.0, f1=0.0, clips=0)
    return Run(
        schema=1,
        name=teacher_file.NAME,
        version="1",
        labels=RESERVED_LABELS,
        features=LOGMEL_32,
        mean=(0.0,) * LOGMEL_32.n_mfcc,
        scale=(1.0,) * LOGMEL_32.n_mfcc,
        net=SPEECH_EMBEDDING,
        recipe_sha256=teacher_file.SHA256,
        base=source,
        data=(source,),
        split="speaker-disjoint",
        report=Report(
            accuracy=0.0,
            macro_f1=0.0,
            clips=0,
            split="speaker-disjoint",
            labels=RESERVED_LABELS,
            per_label=dict.fromkeys(RESERVED_LABELS, nothing),
            confusion=((0, 0), (0, 0)),
        ),
        false_accepts_per_hour_budget=1.0,
        triggers={},
        stream_metrics=(),
    )


@torch.no_grad()
def new_head(
    base: Base,
    labels: tuple[str, ...],
    *,
    window_seconds: float = 0.0,
    order: OrderConfig | None = None,
) -> StreamingNet:
    """Return the base's net for other labels; labels that it knows keep their weights.

    With `window_seconds` it looks back so long, in place of what the base did, and with `order` it
    hears the order of embeddings; ConfigError for a base that cannot do so.
    """
    config = base.run.net if order is None else _ordered(base.run, order)
    if window_seconds:
        config = _windowed(base.run, config, window_seconds)
    net = build_net(config, len(labels))
    new = ("head.",) if order is None else ("head.", "order.")
    backbone = {k: v for k, v in base.net.state_dict().items() if not k.startswith(new)}
    net.load_state_dict(backbone, strict=False)
    for row, label in enumerate(labels):
        if label in base.run.labels and net.head.in_features == base.net.head.in_features:
            known = base.run.labels.index(label)
            net.head.weight[row] = base.net.head.weight[known]
            net.head.bias[row] = base.net.head.bias[known]
    return net


def _ordered(run: Run, order: OrderConfig) -> NetConfig:
    """Return the net with another layer for order, its window as long as before."""
    if not isinstance(run.net, TcnConfig):
        raise ConfigError(f"order: base {run.name!r} is not a tcn; leave it out")
    shortened = max(2, run.net.window_rows - order.rows)
    return replace(run.net, order=order, pool_rows=shortened)


def _windowed(run: Run, config: NetConfig, seconds: float) -> NetConfig:
    """Return the net with a pool such that it looks back so long, with what is below the pool."""
    if not isinstance(config, TcnConfig | EmbeddingConfig):
        raise ConfigError(
            f"window_seconds: base {run.name!r} is neither tcn nor speech-embedding and pools "
            "over no time; leave it out"
        )
    each = config.frames_per_score * (config.apart if isinstance(config, TcnConfig) else 1)
    rows = round(seconds * run.features.sample_rate / run.features.hop / each)
    below = config.window_frames // each - config.pool_rows
    return replace(config, pool_rows=max(2, rows - below))
