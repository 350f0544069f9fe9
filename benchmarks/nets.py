"""What a step of each kind of net costs in each format: nets of recipes, with random weights.

Of such a net the bytes and the time of a step are those of a trained one; its scores mean nothing.
The models take turns, each hears the same features, and the cheapest of its turns counts.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from measure import print_table, run_script

from edgekws.engines.engine import Engine
from edgekws.errors import UsageError
from edgekws.events import Floats
from edgekws.export.formats import Job, convert
from edgekws.export.keys import parse_key
from edgekws.specs import MFCC_40, ModelSpec
from edgekws.train.nets import NetConfig, build_net
from edgekws.train.recipe import load_recipe
from edgekws.train.run import net_spec

KEYS: Final = (
    *("onnx-fp32", "onnx-int8"),
    *("tflite-fp32", "tflite-int8"),
    *("openvino-fp16", "openvino-int8"),
)
LABELS: Final = 12
STEPS: Final = 200
ROUNDS: Final = 15
CALIBRATED: Final = 8  # steps: ranges are of no account here, but have to be there


@dataclass(frozen=True, slots=True)
class Model:
    """One net in one format."""

    recipe: str
    key: str
    size: int
    engine: Engine
    steps: list[Floats]
    microseconds: list[float]


def main() -> int:
    """Print a JSON object for each model, and a table of microseconds a step on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path, nargs="+", help="a recipe with a [net]")
    paths: list[Path] = parser.parse_args().recipe
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as aside:
        models = [model for path in paths for model in build(path, Path(aside, path.stem))]
        for _ in range(ROUNDS):
            for model in models:
                model.microseconds.append(turn(model))
    for model in models:
        row = {"recipe": model.recipe, "model": model.key, "bytes": model.size}
        print(json.dumps({**row, "us_per_step": round(min(model.microseconds))}))
    print_table(("recipe", *KEYS), table(models))
    return 0


def build(path: Path, folder: Path) -> list[Model]:
    """Convert the net of a recipe, untrained, to every format, and open each."""
    config = load_recipe(path)[0].net
    if config is None:
        raise UsageError(f"{path}: adapts a base; give a recipe that has a [net] of its own")
    net, spec = build_net(config, LABELS).eval(), spec_of(config)
    noise = np.random.default_rng(1).standard_normal((STEPS, spec.step_frames, 40), np.float32)
    steps = list(noise)
    keys = [parse_key(key) for key in KEYS]
    models = convert(Job(net, spec, (steps[:CALIBRATED],), say=lambda _: None), keys)
    folder.mkdir()
    return [Model(path.stem, m.key, m.size, m.open(folder), steps, []) for m in models]


def spec_of(config: NetConfig) -> ModelSpec:
    """Return what a device would know of such a net."""
    labels = tuple(f"label {number}" for number in range(LABELS))
    count = MFCC_40.n_mfcc
    return net_spec(config, labels, MFCC_40, mean=(0.0,) * count, scale=(1.0,) * count)


def turn(model: Model) -> float:
    """Let a model hear all steps; return the microseconds of CPU of one."""
    model.engine.reset()
    begin = time.process_time_ns()
    for step in model.steps:
        model.engine.step(step)
    return (time.process_time_ns() - begin) / 1000 / len(model.steps)


def table(models: Sequence[Model]) -> list[list[str]]:
    """Return a row for each recipe: microseconds of a step, and kilobytes."""
    cells: dict[str, list[str]] = {}
    for model in models:
        cell = f"{min(model.microseconds):.0f} ({model.size / 1000:.0f} KB)"
        cells.setdefault(model.recipe, []).append(cell)
    return [[recipe, *row] for recipe, row in cells.items()]


if __name__ == "__main__":
    run_script(main)
