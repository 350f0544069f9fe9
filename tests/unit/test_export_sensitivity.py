"""Tensors that eight bits spoil stay in float, with the reason told; sound models stay whole."""

import copy

import onnx
import pytest
import torch

from edgekws.export.formats import Job
from edgekws.export.quantize import to_int8
from edgekws.export.scores import clip_steps
from edgekws.export.sensitivity import neighbourhoods, sound_int8
from edgekws.export.to_onnx import to_onnx
from edgekws.train.nets import StreamingTcn
from edgekws.train.run import model_spec
from tests.runs import trained

OUTLIER = 3e4  # one channel so much larger leaves the other channels no step of 1/256 of the range


def job(net: StreamingTcn, said: list[str]) -> Job:
    model = model_spec(trained().run)
    clips = tuple(tuple(clip_steps(model, clip)) for clip in trained().calibration[:12])
    return Job(net, model, clips, said.append)


def with_outlier() -> StreamingTcn:
    """The trained net with an embedding of its own beside the others, which the head ignores."""
    net = copy.deepcopy(trained().net)
    with torch.no_grad():
        net.embed.norm.bias[0] = OUTLIER
        net.embed.norm.weight[0] = OUTLIER
        net.head.weight[:, 0] = 0.0
        net.head.weight[:, net.config.embedding] = 0.0
    return net.eval()


def quantized_weights(model: onnx.ModelProto) -> set[str]:
    return {t.name for t in model.graph.initializer if t.name.endswith("_weight_quantized")}


def test_a_sound_model_is_the_plain_int8_model() -> None:
    said: list[str] = []
    work = job(trained().net, said)
    fp32 = to_onnx(work.net, work.model)
    plain = to_int8(fp32, work.clips)
    assert sound_int8(work).SerializeToString() == plain.SerializeToString()
    assert said == []


@pytest.mark.slow
def test_what_makes_and_reads_a_spoiled_tensor_stays_in_float_and_is_told() -> None:
    said: list[str] = []
    work = job(with_outlier(), said)
    fp32 = to_onnx(work.net, work.model)
    model = sound_int8(work)
    kept = quantized_weights(to_int8(fp32, work.clips)) - quantized_weights(model)
    assert "embed_weight_quantized" in kept
    assert len(kept) <= 3
    assert said[0].startswith("kept in float: embed")
    assert "of rows get the float model's label" in said[0]


def test_an_activation_is_freed_with_all_that_makes_carries_and_reads_it() -> None:
    ends = neighbourhoods(to_onnx(trained().net, model_spec(trained().run)))
    assert ends["embed"] >= {"embed", "embed_relu", "pool_joined", "logits_by_label"}
    assert "stem" not in ends["embed"]
    assert {"stem", "stem_relu"} <= ends["stem"]
    assert "embed" not in ends["stem"]
