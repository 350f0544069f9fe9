"""The step graph: its signature, its bytes, and nets of other shapes."""

import math
from functools import cache
from typing import Any

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
from edgekws.train.nets import NetConfig
from edgekws.train.nets.crnn import ConvolutionConfig
from edgekws.train.run import model_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import (
    SMALL_BC_RESNET,
    SMALL_DS_CNN,
    SMALL_GRU,
    SMALL_LSTM,
    SMALL_NET,
    family,
    shaken_net,
    trained,
)


def model_of(net: NetConfig) -> ModelSpec:
    return model_spec(msgspec.structs.replace(trained().run, net=net))


@cache
def small_graph(config: NetConfig) -> onnx.ModelProto:
    return to_onnx(shaken_net(config, n_labels=4), model_of(config))


@family
def test_names_and_shapes_are_those_of_the_contract(config: NetConfig) -> None:
    spec = graph_spec(small_graph(config))
    assert (spec.features.name, spec.features.shape) == ("features", (1, 8, 40))
    rows = 8 // config.frames_per_score
    assert (spec.scores.name, spec.scores.shape) == ("scores", (1, rows, 4))
    names = [(state.input.name, state.output.name) for state in spec.states]
    assert names == [(f"state_{n}", f"state_{n}_out") for n in range(len(names))]
    wanted = shaken_net(config, n_labels=4).state_shapes()
    assert [math.prod(state.input.shape) for state in spec.states] == list(map(math.prod, wanted))
    assert all(len(state.input.shape) == 4 for state in spec.states)


def test_time_is_where_each_net_convolves() -> None:
    tcn, ds_cnn = (graph_spec(small_graph(net)).states for net in (SMALL_NET, SMALL_DS_CNN))
    shapes = shaken_net(SMALL_NET, n_labels=4).state_shapes()
    assert [state.input.shape for state in tcn] == [(1, c, 1, t) for _, c, t in shapes]
    assert [state.input.shape for state in ds_cnn] == [(1, 1, 20, 10)]


@family
def test_the_manifest_accepts_the_signature(config: NetConfig) -> None:
    assert list(graph_faults(model_of(config), graph_spec(small_graph(config)))) == []


@family
def test_equal_weights_give_equal_bytes(config: NetConfig) -> None:
    again = to_onnx(shaken_net(config, n_labels=4), model_of(config))
    assert again.SerializeToString() == small_graph(config).SerializeToString()


@family
def test_batch_norm_is_gone_and_nothing_is_superfluous(config: NetConfig) -> None:
    graph = small_graph(config).graph
    operators = {node.op_type for node in graph.node}
    assert operators.isdisjoint({"BatchNormalization", "Identity", "Constant", "Cast", "Pad"})
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used


def test_the_file_tells_nothing_of_the_machine() -> None:
    model = small_graph(SMALL_NET)
    assert (model.producer_name, model.producer_version, model.doc_string) == ("edgekws", "", "")
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


@pytest.mark.parametrize(
    ("small", "changes"),
    [
        (SMALL_NET, {"pool_rows": 1}),
        (SMALL_NET, {"stem_kernel": 2}),
        (SMALL_NET, {"stem_stride": 1, "stem_kernel": 3}),
        (SMALL_NET, {"stem_stride": 4, "stem_kernel": 7}),
        (SMALL_DS_CNN, {"step_frames": 2}),
        (SMALL_DS_CNN, {"step_frames": 12}),
        (SMALL_DS_CNN, {"mfcc": 40}),
        (SMALL_DS_CNN, {"stem_kernel": (9, 3), "stem_stride": (2, 2)}),
        (SMALL_BC_RESNET, {"step_frames": 2}),
        (SMALL_BC_RESNET, {"step_frames": 8}),
        (SMALL_BC_RESNET, {"width": 0.5, "blocks": (2, 2, 1, 1)}),
        (SMALL_GRU, {"stem": (ConvolutionConfig(channels=9, kernel=2, stride=2),)}),
        (SMALL_GRU, {"stem": (ConvolutionConfig(channels=9, kernel=8, stride=8),)}),
        (SMALL_LSTM, {"layers": 2, "stem": (ConvolutionConfig(channels=9, kernel=8, stride=2),)}),
    ],
    ids=[
        "no pool state",
        "no stem state",
        "four rows a step",
        "one row a step",
        "four windows a step",
        "one window a step",
        "all coefficients",
        "odd padding",
        "four rows of bands a step",
        "one row of bands a step",
        "half the width",
        "four rows of a cell a step",
        "one row of a cell a step",
        "two LSTM layers",
    ],
)
def test_nets_of_other_shapes_run_in_the_engine(small: NetConfig, changes: dict[str, Any]) -> None:
    config = msgspec.structs.replace(small, **changes)
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
