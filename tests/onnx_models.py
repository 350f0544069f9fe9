"""The delay net as an ONNX model."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def delay_model(dtype: str, *, frames: int | str = 4) -> bytes:
    """Return that net; its float form adds state 1, which counts the steps, to the scores."""
    kind = TensorProto.INT8 if dtype == "int8" else TensorProto.FLOAT
    last = {"starts": np.array([2]), "ends": np.array([4]), "axes": np.array([1])}
    one = {"one": np.ones(1, np.float32)}
    scores = (
        helper.make_node("Identity", ["state_0"], ["scores"])
        if dtype == "int8"
        else helper.make_node("Add", ["state_0", "state_1"], ["scores"])
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            scores,
            helper.make_node("Slice", ["features", *last], ["state_0_out"]),
            helper.make_node("Add", ["state_1", "one"], ["state_1_out"]),
        ],
        "delay",
        [
            value("features", kind, [1, frames, 3]),
            value("state_0", kind, [1, 2, 3]),
            value("state_1", TensorProto.FLOAT, [1]),
        ],
        [
            value("scores", kind, [1, 2, 3]),
            value("state_0_out", kind, [1, 2, 3]),
            value("state_1_out", TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in (last | one).items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())
