"""Tensors that eight bits spoil stay in float, with the reason told; sound models stay whole."""

import copy
from collections.abc import Callable
from typing import Final

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from edgekws.engines import open_engine
from edgekws.export import onnx_int8, tflite_int8
from edgekws.export.formats import Job
from edgekws.export.quantize import to_int8
from edgekws.export.scores import clip_steps, decide, score_steps
from edgekws.export.sensitivity import neighbourhoods
from edgekws.export.tflite_file import finish
from edgekws.export.tflite_quantize import observe, quantize
from edgekws.export.tflite_step import TfliteStep
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.export.to_tflite import flatbuffer
from edgekws.train.nets import StreamingNet, StreamingTcn
from edgekws.train.run import model_spec
from tests.runs import trained

OUTLIER: Final = 3e4  # one channel so much larger leaves the others no step of 1/256 of the range
SOUND: Final = 0.97  # of rows of a stream, where any labels may be nearly equal
AGREEMENT: Final = 0.95  # of clips with the float model; a spoiled one has 0.25, which is chance


def job(net: StreamingNet, said: list[str]) -> Job:
    model = model_spec(trained().run)
    clips = tuple(tuple(clip_steps(model, clip)) for clip in trained().calibration[:12])
    return Job(net, model, clips, said.append)


def with_outlier() -> StreamingTcn:
    """The trained net with an embedding of its own beside the others, which the head ignores."""
    net = copy.deepcopy(trained().net)
    assert isinstance(net, StreamingTcn)
    with torch.no_grad():
        net.embed.norm.bias[0] = OUTLIER
        net.embed.norm.weight[0] = OUTLIER
        net.head.weight[:, 0] = 0.0
        net.head.weight[:, net.config.embedding] = 0.0
    return net.eval()


def with_outlier_between_states() -> StreamingTcn:
    """The trained net with such a channel between two layers that no state holds."""
    net = copy.deepcopy(trained().net)
    assert isinstance(net, StreamingTcn)
    depthwise, pointwise = net.stack()[-1].layers()[-1]
    with torch.no_grad():
        depthwise.norm.bias[0] = OUTLIER
        pointwise.conv.weight[:, 0] = 0.0
    return net.eval()


def float_file(work: Job) -> bytes:
    """Return the converter's float .tflite of a job's net."""
    assert isinstance(work.net, StreamingTcn)
    step = TfliteStep(work.net).eval()
    features = torch.zeros(1, work.model.step_frames, work.model.features.n_mfcc)
    return flatbuffer(step, (features, *(torch.zeros(shape) for shape in step.state_shapes)))


def decisions(work: Job, file: tflite_int8.File) -> NDArray[np.int64]:
    """Return the labels of held-out clips by the device's engine."""
    engine, clips = open_engine("tflite", *file), trained().heldout
    rows = (score_steps(work.model, engine, clip_steps(work.model, clip)) for clip in clips)
    return np.array([decide(work.model, scores) for scores in rows], np.int64)


def labels_of_rows(work: Job, model: onnx.ModelProto) -> NDArray[np.int64]:
    """Return the label of every row of the calibration by the device's engine."""
    engine = open_engine("onnx", model.SerializeToString(), graph_spec(model))
    rows = [score_steps(work.model, engine, clip) for clip in work.clips]
    return np.concatenate(rows).argmax(axis=1)


def quantized_weights(model: onnx.ModelProto) -> set[str]:
    return {t.name for t in model.graph.initializer if t.name.endswith("_weight_quantized")}


def test_a_sound_model_is_the_plain_int8_model() -> None:
    said: list[str] = []
    work = job(trained().net, said)
    fp32 = to_onnx(work.net, work.model)
    plain = to_int8(fp32, work.clips)
    assert onnx_int8.sound_int8(work).SerializeToString() == plain.SerializeToString()
    assert said == []


def test_labels_that_are_nearly_equal_may_change_places() -> None:
    net, said = copy.deepcopy(trained().net), list[str]()
    with torch.no_grad():
        for learned in (net.head.weight, net.head.bias):
            learned[3] = learned[2] + 0.001 * (learned[3] - learned[2])
    work = job(net.eval(), said)
    fp32 = to_onnx(work.net, work.model)
    plain = to_int8(fp32, work.clips)
    labels, others = (labels_of_rows(work, model) for model in (fp32, plain))
    assert np.mean(labels == others) < SOUND
    assert onnx_int8.sound_int8(work).SerializeToString() == plain.SerializeToString()
    assert said == []


@pytest.mark.slow
def test_a_sound_tflite_model_is_the_plain_int8_model() -> None:
    said: list[str] = []
    work = job(trained().net, said)
    fp32 = float_file(work)
    plain, _ = finish(quantize(fp32, "int8", observe(fp32, work.clips)))
    assert tflite_int8.sound_int8(fp32, work)[0] == plain
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoiled", "layer", "border"),
    [(with_outlier, "embed", "float32"), (with_outlier_between_states, "Causal_0", "int8")],
)
def test_a_spoiled_tensor_stays_in_float_in_tflite_too(
    spoiled: Callable[[], StreamingTcn], layer: str, border: str
) -> None:
    said: list[str] = []
    work = job(spoiled(), said)
    fp32 = float_file(work)
    plain = finish(quantize(fp32, "int8", observe(fp32, work.clips)))
    made = tflite_int8.sound_int8(fp32, work)
    labels = decisions(work, finish(fp32))
    assert np.mean(decisions(work, plain) == labels) < AGREEMENT
    assert np.mean(decisions(work, made) == labels) >= AGREEMENT
    (line,) = said
    assert line.startswith("kept in float: ")
    assert layer in line.partition(",")[0]
    assert {tensor.dtype for tensor in (*made[1].inputs, *made[1].outputs)} == {border}
    assert len(made[0]) < (len(plain[0]) + len(finish(fp32)[0])) / 2  # most of it has 8 bits


@pytest.mark.slow
def test_what_makes_and_reads_a_spoiled_tensor_stays_in_float_and_is_told() -> None:
    said: list[str] = []
    work = job(with_outlier(), said)
    fp32 = to_onnx(work.net, work.model)
    model = onnx_int8.sound_int8(work)
    kept = quantized_weights(to_int8(fp32, work.clips)) - quantized_weights(model)
    assert "embed_weight_quantized" in kept
    assert len(kept) <= 3
    assert said[0].startswith("kept in float: embed")
    assert "of rows get the float model's label or one as good" in said[0]


def test_an_activation_is_freed_with_all_that_makes_carries_and_reads_it() -> None:
    fp32 = to_onnx(trained().net, model_spec(trained().run))
    ends = neighbourhoods(onnx_int8.OnnxQuantizer(fp32, ()).nodes())
    assert ends["embed"] >= {"embed", "embed_relu", "pool_joined", "logits_by_label"}
    assert "stem" not in ends["embed"]
    assert {"stem", "stem_relu"} <= ends["stem"]
    assert "embed" not in ends["stem"]
