"""The bases that ship in models/, and any finished run, as the start of an adaptation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from msgspec.structs import replace

from edgekws.errors import ConfigError
from edgekws.train.nets import NetConfig, StreamingNet, TcnConfig, build_net
from edgekws.train.run import RUN_FILE, Run, load_net, load_run

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


def load_base(name: str) -> Base:
    """Load a base; ConfigError where there is none of that name, RunError where it is damaged."""
    folder = find_base(name)
    run = load_run(folder)
    return Base(run, load_net(folder, run))


@torch.no_grad()
def new_head(base: Base, labels: tuple[str, ...], *, window_seconds: float = 0.0) -> StreamingNet:
    """Return the base's net for other labels; labels that it knows keep their weights.

    With `window_seconds` it pools over so long, in place of what the base did; ConfigError for a
    base that does not pool over time.
    """
    net = build_net(_windowed(base, window_seconds), len(labels))
    backbone = {k: v for k, v in base.net.state_dict().items() if not k.startswith("head.")}
    net.load_state_dict(backbone, strict=False)
    for row, label in enumerate(labels):
        if label in base.run.labels:
            known = base.run.labels.index(label)
            net.head.weight[row] = base.net.head.weight[known]
            net.head.bias[row] = base.net.head.bias[known]
    return net


def _windowed(base: Base, seconds: float) -> NetConfig:
    config = base.run.net
    if not seconds:
        return config
    if not isinstance(config, TcnConfig):
        raise ConfigError(
            f"window_seconds: base {base.run.name!r} is no tcn and pools over no time; leave it out"
        )
    spec = base.run.features
    frames = seconds * spec.sample_rate / spec.hop
    rows = max(2, round(frames / config.frames_per_score))
    return replace(config, pool_rows=rows)
