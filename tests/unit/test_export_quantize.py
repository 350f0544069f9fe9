"""The int8 model: what is quantized and how, the same bytes every time, and no traces."""

import logging
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from edgekws.export.quantize import to_int8
from edgekws.export.scores import clip_steps
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.train.run import model_spec
from tests.runs import trained


@cache
def fp32() -> onnx.ModelProto:
    return to_onnx(trained().net, model_spec(trained().run))


def quantized(clips: int = 6) -> onnx.ModelProto:
    model = model_spec(trained().run)
    return to_int8(fp32(), (clip_steps(model, clip) for clip in trained().calibration[:clips]))


@cache
def int8() -> onnx.ModelProto:
    return quantized()


def weights() -> dict[str, np.ndarray]:
    return {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in int8().graph.initializer
        if tensor.data_type == TensorProto.INT8 and tensor.name.endswith("_weight_quantized")
    }


def test_the_interface_stays_float32() -> None:
    assert graph_spec(int8()) == graph_spec(fp32())


def test_every_convolution_has_int8_weights() -> None:
    convolutions = [node for node in fp32().graph.node if node.op_type == "Conv"]
    assert len(weights()) == len(convolutions)


def test_weights_keep_to_seven_bits_so_that_no_machine_saturates() -> None:
    for name, array in weights().items():
        assert -64 <= array.min() <= array.max() <= 64, name
    assert max(int(np.abs(array).max()) for array in weights().values()) >= 63


def test_weights_are_scaled_per_channel() -> None:
    scales = {t.name: t for t in int8().graph.initializer if t.name.endswith("_weight_scale")}
    for name, array in weights().items():
        scale = scales[name.removesuffix("_quantized") + "_scale"]
        assert list(scale.dims) == [len(array)], name


def test_the_pool_and_its_state_stay_in_float() -> None:
    nodes = {node.name: node for node in int8().graph.node}
    givers = {output: node for node in int8().graph.node for output in node.output}
    slices = [n for n in int8().graph.node if n.op_type == "Slice" and "pool" in n.input[0]]
    assert [node.output[0] for node in slices] == [int8().graph.output[-1].name]
    assert givers[nodes["pool_peak"].input[0]].name == "pool_joined"


def test_equal_calibration_gives_equal_bytes() -> None:
    assert quantized().SerializeToString() == int8().SerializeToString()


def test_the_float_model_is_left_as_it_was() -> None:
    before = fp32().SerializeToString()
    quantized(1)
    assert fp32().SerializeToString() == before


def test_the_file_tells_nothing_of_the_quantizer_and_the_log_is_as_before() -> None:
    level = logging.root.level
    assert quantized(1).producer_name == "edgekws"
    assert not int8().metadata_props
    assert logging.root.level == level
