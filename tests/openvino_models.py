"""The delay net as an OpenVINO model, built of its own operators: no converter of ours."""

from pathlib import Path
from typing import Any

import numpy as np

from edgekws.engines.openvino_runtime import openvino

ops = openvino.opset13


def write(net: Any, path: Path) -> Path:
    openvino.save_model(net, path, compress_to_fp16=False)
    return path


def delay_net(dtype: str, *, frames: int = 4) -> Any:
    """Return that net; its float form adds state 1, which counts the steps, to the scores."""
    kind = getattr(np, dtype)
    features = ops.parameter([1, frames, 3], kind)
    past, count = ops.parameter([1, 2, 3], kind), ops.parameter([1], np.float32)
    scores = ops.add(past, count) if dtype == "float32" else copied(past)
    last = ops.slice(features, *([n] for n in (2, 4, 1, 1)))  # start, stop, step, axis
    counted = ops.add(count, np.ones(1, np.float32))
    outputs = {"scores": scores, "state_0_out": last, "state_1_out": counted}
    inputs = {"features": features, "state_0": past, "state_1": count}
    for name, node in (inputs | outputs).items():
        node.output(0).set_names({name})
    return openvino.Model([*outputs.values()], [*inputs.values()], "delay")


def copied(node: Any) -> Any:
    """Return the two frames of a tensor, taken apart and joined again."""
    first, second = (ops.slice(node, [n], [n + 1], [1], [1]) for n in (0, 1))
    return ops.concat([first, second], 1)
