"""The step graph: its signature, its bytes, and nets of other shapes."""

from functools import cache

import msgspec
import numpy as np
import onnx
import pytest
import torch

from edgekws.bundle.tensors import graph_faults
from edgekws.engines.registry import open_engine
from edgekws.export.scores import score_steps
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.specs import ModelSpec
from edgekws.train.nets import TcnConfig
from edgekws.train.run import model_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import SMALL_NET, shaken_net, trained


def model_of(net: TcnConfig) -> ModelSpec:
    return model_spec(msgspec.structs.replace(trained().run, net=net))


@cache
def small_graph() -> onnx.ModelProto:
    return to_onnx(shaken_net(SMALL_NET, n_labels=4), model_of(SMALL_NET))


def test_names_and_shapes_are_those_of_the_contract() -> None:
    spec = graph_spec(small_graph())
    assert (spec.features.name, spec.features.shape) == ("features", (1, 8, 40))
    assert (spec.scores.name, spec.scores.shape) == ("scores", (1, 2, 4))
    names = [(state.input.name, state.output.name) for state in spec.states]
    assert names == [(f"state_{n}", f"state_{n}_out") for n in range(len(names))]
    assert [state.input.shape for state in spec.states] == [
        (1, c, 1, t) for _, c, t in shaken_net(SMALL_NET, n_labels=4).state_shapes()
    ]


def test_the_manifest_accepts_the_signature() -> None:
    assert list(graph_faults(model_of(SMALL_NET), graph_spec(small_graph()))) == []


def test_equal_weights_give_equal_bytes() -> None:
    again = to_onnx(shaken_net(SMALL_NET, n_labels=4), model_of(SMALL_NET))
    assert again.SerializeToString() == small_graph().SerializeToString()


def test_batch_norm_is_gone_and_nothing_is_superfluous() -> None:
    graph = small_graph().graph
    operators = {node.op_type for node in graph.node}
    assert operators.isdisjoint({"BatchNormalization", "Identity", "Constant", "Cast", "Pad"})
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used


def test_the_file_tells_nothing_of_the_machine() -> None:
    model = small_graph()
    assert (model.producer_name, model.producer_version, model.doc_string) == ("edgekws", "", "")
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool_rows": 1},
        {"stem_kernel": 2},
        {"stem_stride": 1, "stem_kernel": 3},
        {"stem_stride": 4, "stem_kernel": 7},
    ],
    ids=["no pool state", "no stem state", "four rows a step", "one row a step"],
)
def test_nets_of_other_shapes_run_in_the_engine(changes: dict[str, int]) -> None:
    config = msgspec.structs.replace(SMALL_NET, **changes)
    net, model = shaken_net(config, n_labels=4), model_of(config)
    graph = to_onnx(net, model)
    assert all(state.input.shape[3] > 0 for state in graph_spec(graph).states)
    engine = open_engine("onnx", graph.SerializeToString(), graph_spec(graph))
    steps = np.random.default_rng(1).standard_normal((9, model.step_frames, 40), np.float32)
    with torch.inference_mode():
        logits, _ = net(torch.from_numpy(steps.reshape(1, -1, 40)), net.zero_states())
        expected = torch.softmax(logits, -1)[0].numpy()
    scores = score_steps(model, engine, list(steps))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=FP32_POSTERIORS)
