"""Google's speech_embedding as it is published, read into the streaming net of the same shape.

The weights are read from the ONNX file in which they are published (Apache-2.0); its graph has a
loop that runs one clip at a time, this one takes batches.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from edgekws.errors import ConfigError, MissingExtraError
from edgekws.specs import LOGMEL_32
from edgekws.train.frontend import TorchFrontend
from edgekws.train.nets.embedding import SPEECH_EMBEDDING, Backbone

SAMPLE_RATE: Final = LOGMEL_32.sample_rate
WIDTH: Final = SPEECH_EMBEDDING.embedding
RECEPTIVE_SAMPLES: Final = LOGMEL_32.samples(SPEECH_EMBEDDING.receptive_frames)
STEP_SAMPLES: Final = SPEECH_EMBEDDING.frames_per_score * LOGMEL_32.hop
NORM_EPSILON: Final = 1e-3  # of the published batch norm

Weights = list[Tensor]


class SpeechEmbedding(nn.Module):
    """Audio to embeddings; made by `load_speech_embedding`, never trained."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.frontend, self.backbone = TorchFrontend(LOGMEL_32), backbone

    def forward(self, audio: Tensor) -> Tensor:
        """Return embeddings (batch, rows, 96) of (batch, samples) audio on the int16 scale.

        Row i covers samples [i * 1280, i * 1280 + 12400).
        """
        embedded, _ = self.backbone(self.frontend(audio), self.backbone.no_past(len(audio)))
        rows: Tensor = embedded[:, :, 0].transpose(1, 2)
        return rows


def load_speech_embedding(path: Path) -> SpeechEmbedding:
    """Return the published net with its front end; raises as `load_backbone` does."""
    return SpeechEmbedding(load_backbone(path))


def load_backbone(path: Path) -> Backbone:
    """Read the published ONNX file; ConfigError where it is not that net.

    Raises MissingExtraError where onnx is not installed.
    """
    backbone = Backbone(SPEECH_EMBEDDING)
    try:
        _fill(backbone, *_read(path))
    except (IndexError, RuntimeError, ValueError) as fault:
        raise ConfigError(f"{path}: not the speech_embedding net ({fault})") from fault
    return backbone.requires_grad_(requires_grad=False).eval()


def _read(path: Path) -> tuple[list[Weights], Weights]:
    """Return weight and, if any, bias of each convolution, and the four vectors of the one norm."""
    try:
        import onnx
    except ImportError as fault:
        raise MissingExtraError(
            "reading speech_embedding needs onnx: pip install 'edgekws[export]'"
        ) from fault
    try:
        graph = onnx.load(str(path)).graph
    except Exception as fault:
        raise ConfigError(f"{path}: cannot be read as ONNX ({fault})") from fault
    tensors = _initializers(graph)

    def constants(node: Any) -> Weights:
        return [torch.from_numpy(tensors[name].copy()) for name in node.input if name in tensors]

    convolutions = [constants(node) for node in graph.node if node.op_type == "Conv"]
    norms = [constants(node) for node in graph.node if node.op_type == "BatchNormalization"]
    if len(norms) != 1:
        raise ValueError(f"{len(norms)} batch norms in place of one")
    return convolutions, norms[0]


def _initializers(graph: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return the constants of a graph and of the body of its loop."""
    from onnx import numpy_helper

    bodies = [a.g for node in graph.node for a in node.attribute if a.name == "body"]
    return {
        constant.name: numpy_helper.to_array(constant)
        for part in (graph, *bodies)
        for constant in part.initializer
    }


@torch.no_grad()
def _fill(backbone: Backbone, convolutions: list[Weights], norm: Weights) -> None:
    """Copy the published weights; they have time before bands, and a norm behind a ReLU.

    Its factors are positive, so that they can go before the ReLU, into the first convolution.
    """
    gain, shift, mean, variance = norm
    factor = gain / torch.sqrt(variance + NORM_EPSILON)
    if not bool((factor > 0).all()):
        raise ValueError("a factor of its norm is not positive")
    pairs = [pair for stage in backbone.stack() for pair in stage.stack()]
    layers = [layer for pair in pairs for layer in (pair.over_bands, pair.over_time.conv)]
    own = [backbone.stem.over_both.conv, *layers, backbone.embed.conv]
    if len(own) != len(convolutions):
        raise ValueError(f"{len(convolutions)} convolutions in place of {len(own)}")
    for layer, (weight, *bias) in zip(own, convolutions, strict=True):
        _copy(layer.weight, weight.transpose(2, 3))
        if layer.bias is not None:
            _copy(layer.bias, bias[0])
    own[0].weight *= factor[:, None, None, None]
    _copy(backbone.stem.term, shift - mean * factor)


def _copy(place: Tensor, values: Tensor) -> None:
    if place.shape != values.shape:
        raise ValueError(f"weights of {tuple(values.shape)} in place of {tuple(place.shape)}")
    place.copy_(values)
