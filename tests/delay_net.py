"""A net for tests whose scores are the last two frames of the step before: its states show.

Each runtime's own model of it is in onnx_models.py, openvino_models.py and tflite_models.py.
"""

from typing import Any, Final

import msgspec
import numpy as np

from edgekws.engines import Engine
from edgekws.events import Floats
from edgekws.specs import GraphSpec, StateSpec, TensorSpec

SCALE: Final = 0.25
ZERO: Final = -10


def tensor(name: str, shape: tuple[int, ...], dtype: Any = "float32") -> TensorSpec:
    scale, zero = (SCALE, ZERO) if dtype == "int8" else (1.0, 0)
    return TensorSpec(name=name, shape=shape, dtype=dtype, scale=scale, zero_point=zero)


def delay_graph(dtype: str) -> GraphSpec:
    """Return the signature of the net, whose scores are the last two frames of the step before."""
    return GraphSpec(
        features=tensor("features", (1, 4, 3), dtype),
        scores=tensor("scores", (1, 2, 3), dtype),
        states=(
            StateSpec(
                input=tensor("state_0", (1, 2, 3), dtype),
                output=tensor("state_0_out", (1, 2, 3), dtype),
            ),
            StateSpec(input=tensor("state_1", (1,)), output=tensor("state_1_out", (1,))),
        ),
    )


def other_signatures() -> dict[str, GraphSpec]:
    """Return signatures that the float net has not, each under the tensor that differs."""
    graph = delay_graph("float32")
    first, second = graph.states
    swap = msgspec.structs.replace
    return {
        "features": swap(graph, features=tensor("features", (1, 8, 3))),
        "scores": swap(graph, scores=tensor("scores", (1, 2, 4))),
        "posteriors": swap(graph, scores=tensor("posteriors", (1, 2, 3))),
        "state_0": swap(graph, states=(swap(first, input=tensor("state_0", (1, 2, 3), "int8")),
                                       second)),
        "state_0_out": swap(graph, states=(swap(first, output=tensor("state_0_out", (2, 3))),
                                           second)),
        "state_1": swap(graph, states=(first,)),
        "state_2": swap(graph, states=(first, second,
                                       StateSpec(input=tensor("state_2", (1,)),
                                                 output=tensor("state_2_out", (1,))))),
    }  # fmt: skip


def run(engine: Engine, features: Floats, *, step: int = 8) -> Floats:
    """Return the scores of all whole steps, (rows, n_labels)."""
    whole = range(0, len(features) - step + 1, step)
    return np.concatenate([engine.step(features[start : start + step]) for start in whole])
