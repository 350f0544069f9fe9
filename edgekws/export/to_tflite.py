"""A trained net as .tflite files: litert-torch makes the float one, the others come from it."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch
from torch import Tensor, fx, nn

from edgekws.errors import ExportError
from edgekws.export.formats import Converted, Job
from edgekws.export.quiet import quietly
from edgekws.export.tflite_bcresnet import TfliteBcResNet
from edgekws.export.tflite_crnn import TfliteCrnn
from edgekws.export.tflite_dscnn import TfliteDsCnn
from edgekws.export.tflite_embedding import TfliteEmbedding
from edgekws.export.tflite_file import finish
from edgekws.export.tflite_int8 import sound_int8
from edgekws.export.tflite_quantize import observe, quantize
from edgekws.export.tflite_step import TfliteStep
from edgekws.specs import GraphSpec, ModelSpec, Precision
from edgekws.train.nets import BcResNet, Crnn, DsCnnNet, EmbeddingNet, StreamingNet, StreamingTcn

with quietly():
    import litert_torch

REFUSALS: Final = (AssertionError, LookupError, RuntimeError, TypeError, ValueError)
"""What litert-torch, torch.export and JAX raise for operators that they do not know."""


def convert(job: Job, precisions: Sequence[Precision]) -> list[Converted]:
    """Return the net in each precision; equal input gives equal bytes.

    "int8" and "int16x8" take and give integers, states included; "int8-dynamic" has only its
    weights in 8 bits. Raises ExportError, naming the layer, where litert-torch refuses one.
    """
    fp32 = float_file(job.net, job.model)
    files = [(precision, *_file(fp32, precision, job)) for precision in precisions]
    return [Converted("tflite", of, {".tflite": data}, graph) for of, data, graph in files]


def float_file(net: StreamingNet, model: ModelSpec) -> bytes:
    """Return the step of a net as litert-torch writes it."""
    step = _step(net).eval()
    states = [torch.zeros(shape) for shape in step.state_shapes]
    return flatbuffer(step, (torch.zeros(1, model.step_frames, model.features.n_mfcc), *states))


def _file(fp32: bytes, precision: Precision, job: Job) -> tuple[bytes, GraphSpec]:
    """Return the float file of a net in one precision, and its signature."""
    match precision:
        case "int8":
            return sound_int8(fp32, job)
        case "int16x8":
            return finish(quantize(fp32, precision, observe(fp32, job.clips)))
        case "int8-dynamic":
            return finish(quantize(fp32, precision, {}))
        case _:
            return finish(fp32)


Step = TfliteStep | TfliteBcResNet | TfliteCrnn | TfliteDsCnn | TfliteEmbedding


def _step(net: StreamingNet) -> Step:
    match net:
        case StreamingTcn():
            return TfliteStep(net)
        case BcResNet():
            return TfliteBcResNet(net)
        case Crnn():
            return TfliteCrnn(net)
        case DsCnnNet():
            return TfliteDsCnn(net)
        case EmbeddingNet():
            return TfliteEmbedding(net)


def flatbuffer(module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """Return a module in eval mode as litert-torch writes it, for inputs of these shapes."""
    try:
        with quietly(), TemporaryDirectory(prefix="edgekws-") as folder:
            path = Path(folder) / "model.tflite"
            litert_torch.convert(module, inputs).export(str(path))
            return path.read_bytes()
    except REFUSALS as error:
        raise ExportError(
            f"litert-torch cannot convert {_layer(error)} to TFLite: {_first_line(error)}; replace "
            "that layer, or export to another format"
        ) from error


def _layer(error: BaseException) -> str:
    """Return the layer at which lowering stopped: its path in the module and its operator."""
    nodes = [
        value
        for frame, _ in traceback.walk_tb(error.__traceback__)
        for value in frame.f_locals.values()
        if isinstance(value, fx.Node) and value.meta.get("nn_module_stack")
    ]
    if not nodes:
        return "the net"
    path, _ = list(nodes[-1].meta["nn_module_stack"].values())[-1]
    return f"the layer {path!r} ({nodes[-1].target})"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
