"""TFLite files: their signature, operators, precisions and bytes, and nets of other shapes."""

import logging
import sys
import warnings
from collections import Counter
from typing import Any, Final

import msgspec
import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, nn

from edgekws.bundle.tensors import graph_faults
from edgekws.engines.registry import open_engine
from edgekws.errors import ExportError, MissingExtraError
from edgekws.export import formats
from edgekws.export.formats import Job
from edgekws.export.scores import score_steps
from edgekws.export.tflite_file import read_model
from edgekws.export.to_tflite import convert, flatbuffer
from edgekws.specs import GraphSpec, ModelKey, Precision
from edgekws.train.run import model_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import SMALL_NET, shaken_net, trained
from tests.tflite_exports import PRECISIONS, converted, small_job

ACTIVATIONS: Final = {"fp32": "float32", "int8-dynamic": "float32", "int8": "int8"}
CHANNEL_AXIS: Final = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}  # of the outputs, in their weights
OVERHEAD_PER_OPERATOR: Final = 320
"""Bytes of tensors, options and small vectors: 233 measured."""

Names = dict[int, str]
TYPES: Final[Names] = {n: t for t, n in vars(schema.TensorType).items() if isinstance(n, int)}
OPERATORS: Final[Names] = {
    n: o for o, n in vars(schema.BuiltinOperator).items() if isinstance(n, int)
}


def model_of(precision: Precision) -> Any:
    return read_model(converted()[precision].files[".tflite"])


def graph_of(precision: Precision) -> Any:
    return model_of(precision).subgraphs[0]


def operators(precision: Precision) -> Counter[str]:
    codes = [OPERATORS[code.builtinCode] for code in model_of(precision).operatorCodes]
    return Counter(codes[operator.opcodeIndex] for operator in graph_of(precision).operators)


def tensors(graph: GraphSpec) -> list[Any]:
    states = [tensor for state in graph.states for tensor in (state.input, state.output)]
    return [graph.features, graph.scores, *states]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_names_and_shapes_are_those_of_the_step(precision: Precision) -> None:
    spec = converted()[precision].graph
    assert (spec.features.name, spec.features.shape) == ("features", (1, 8, 40))
    assert (spec.scores.name, spec.scores.shape) == ("scores", (1, 2, 4))
    names = [(state.input.name, state.output.name) for state in spec.states]
    assert names == [(f"state_{n}", f"state_{n}_out") for n in range(len(names))]
    assert [state.input.shape for state in spec.states] == [
        (1, 1, frames, channels) for _, channels, frames in trained().net.state_shapes()
    ]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_manifest_accepts_the_signature(precision: Precision) -> None:
    assert list(graph_faults(small_job().model, converted()[precision].graph)) == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_precisions_come_as_asked_for(precision: Precision) -> None:
    made = converted()[precision]
    assert (made.format, made.precision, list(made.files)) == ("tflite", precision, [".tflite"])
    dtypes = {tensor.dtype for tensor in tensors(made.graph)}
    assert dtypes == {ACTIVATIONS.get(precision, "int16")}


def test_every_convolution_is_one_operator_and_nothing_is_turned_about() -> None:
    net = trained().net
    depthwise = sum(len(block.depthwise) for block in net.stack())
    slices = operators("fp32")["SLICE"]
    assert 0 < slices <= len(net.state_shapes())  # a state may be just what came in
    assert operators("fp32") == {
        "CONV_2D": depthwise + 3,  # a pointwise one each; stem, embedding, head
        "DEPTHWISE_CONV_2D": depthwise,
        "CONCATENATION": len(net.state_shapes()) + 1,  # and the two pools
        "SLICE": slices,
        "ADD": sum(block.residual for block in net.stack()),
        "AVERAGE_POOL_2D": 1,
        "MAX_POOL_2D": 1,
        "RESHAPE": 2,
        "SOFTMAX": 1,
    }


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_integer_models_compute_in_integers_alone_and_rescale_nowhere(precision: Precision) -> None:
    assert operators(precision) == operators("fp32")
    kinds = {TYPES[tensor.type] for tensor in graph_of(precision).tensors}
    assert kinds == (
        {"INT8", "INT32"} if precision == "int8" else {"INT8", "INT16", "INT32", "INT64"}
    )


@pytest.mark.parametrize("precision", ["int8", "int16x8", "int8-dynamic"])
def test_weights_are_int8_and_scaled_per_channel(precision: Precision) -> None:
    model, graph = model_of(precision), graph_of(precision)
    for operator in graph.operators:
        name = OPERATORS[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if name in CHANNEL_AXIS:
            weight = graph.tensors[operator.inputs[1]]
            assert TYPES[weight.type] == "INT8"
            assert weight.quantization.quantizedDimension == CHANNEL_AXIS[name]
            assert len(weight.quantization.scale) == weight.shape[CHANNEL_AXIS[name]] > 1
            assert not weight.quantization.zeroPoint.any()


def test_int8_features_and_states_have_the_range_that_calibration_saw() -> None:
    job, graph = small_job(), converted()["int8"].graph
    values = np.concatenate([step for clip in job.clips for step in clip])
    low, high = ((edge - graph.features.zero_point) * graph.features.scale for edge in (-128, 127))
    assert low == pytest.approx(values.min(), abs=graph.features.scale)
    assert high == pytest.approx(values.max(), abs=graph.features.scale)
    for state in graph.states[1:]:
        assert state.input.zero_point == -128  # they follow a ReLU: no step is spent below zero


def test_states_go_from_output_to_input_byte_for_byte() -> None:
    for precision in PRECISIONS:
        for state in converted()[precision].graph.states:
            assert msgspec.structs.replace(state.output, name=state.input.name) == state.input


def test_equal_nets_give_equal_bytes() -> None:
    for again in convert(small_job(), ["int8", "fp32"]):
        assert again.files == converted()[again.precision].files


def test_conversion_changes_neither_the_net_nor_its_mode() -> None:
    before = {name: value.clone() for name, value in trained().net.state_dict().items()}
    converted()
    after = trained().net.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not trained().net.training


def test_the_file_tells_nothing_of_the_converter() -> None:
    for precision in PRECISIONS:
        model = model_of(precision)
        assert [model.metadata, model.description, model.signatureDefs] == [None, None, None]
        named = [t.name for t in model.subgraphs[0].tensors if t.name]
        spec = converted()[precision].graph
        assert sorted(named) == sorted(tensor.name.encode() for tensor in tensors(spec))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_file_is_little_more_than_its_numbers(precision: Precision) -> None:
    model = model_of(precision)
    numbers = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    scales = sum(
        tensor.quantization.scale.nbytes
        for tensor in model.subgraphs[0].tensors
        if tensor.quantization is not None
    )
    overhead = converted()[precision].size - numbers - scales
    assert overhead < OVERHEAD_PER_OPERATOR * len(model.subgraphs[0].operators)


def test_constants_lie_where_any_processor_can_read_them() -> None:
    data = converted()["int8"].files[".tflite"]
    for buffer in model_of("int8").buffers[1:]:
        assert data.index(buffer.data.tobytes()) % 16 == 0


@pytest.mark.parametrize(
    "changes",
    [{"pool_rows": 1, "stem_kernel": 1, "stem_stride": 1}, {"stem_stride": 4, "stem_kernel": 7}],
    ids=["no state of stem and pool, four rows a step", "one row a step"],
)
def test_nets_of_other_shapes_run_in_the_engine(changes: dict[str, int]) -> None:
    config = msgspec.structs.replace(SMALL_NET, **changes)
    net = shaken_net(config, n_labels=4)
    model = model_spec(msgspec.structs.replace(trained().run, net=config))
    (made,) = convert(Job(net, model, (), lambda _: None), ["fp32"])
    engine = open_engine("tflite", made.files[".tflite"], made.graph)
    steps = np.random.default_rng(1).standard_normal((9, model.step_frames, 40), np.float32)
    with torch.inference_mode():
        logits, _ = net(torch.from_numpy(steps.reshape(1, -1, 40)), net.zero_states())
        expected = torch.softmax(logits, -1)[0].numpy()
    scores = score_steps(model, engine, list(steps))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=FP32_POSTERIORS)


class Digamma(nn.Module):
    """An operator that no TFLite kernel has."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.digamma(x)


class OnlyPositive(nn.Module):
    """A path that depends on the data."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_operator_that_is_refused_is_an_error_that_names_the_layer() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), Digamma())).eval()
    with pytest.raises(ExportError, match=r"'1\.1' \(aten\.digamma\.default\)") as caught:
        flatbuffer(net, (torch.ones(1, 3),))
    assert "\n" not in str(caught.value)


def test_net_that_cannot_be_traced_is_an_error_of_one_line() -> None:
    with pytest.raises(ExportError, match="cannot convert the net to TFLite") as caught:
        flatbuffer(OnlyPositive(), (torch.ones(1, 3),))
    assert "\n" not in str(caught.value)


def test_converters_are_not_heard_and_leave_log_and_warnings_as_they_were(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = logging.root.manager.disable, logging.root.level, list(warnings.filters)
    flatbuffer(nn.Linear(3, 3).eval(), (torch.ones(1, 3),))
    assert capfd.readouterr() == ("", "")
    assert (logging.root.manager.disable, logging.root.level, list(warnings.filters)) == before


@pytest.mark.parametrize("package", ["litert_torch", "ai_edge_quantizer"])
def test_missing_converter_is_an_error_that_prints_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for name in ("to_tflite", "tflite_quantize"):
        monkeypatch.delitem(sys.modules, f"edgekws.export.{name}", raising=False)
    with pytest.raises(
        MissingExtraError, match=rf"{package}.*pip install 'edgekws\[export-tflite\]'"
    ):
        formats.convert(small_job(), [ModelKey("tflite", "int8")])
