"""Google's speech_embedding as a torch module: the teacher that small nets are distilled from.

Lin et al. 2020, "Training keyword spotters with limited and synthesized speech data": log-mel
features with context go through 20 small convolutions to a 96-dimensional embedding per 80 ms. The
weights are read from the ONNX file in which they are published (Apache-2.0); its graph has a loop
that runs one clip at a time, this module takes batches. Time is padded nowhere, so a window and a
stream give the same embeddings.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from edgekws.errors import ConfigError, MissingExtraError

SAMPLE_RATE: Final = 16_000
WINDOW: Final = 400
HOP: Final = 160
FFT: Final = 512
BANDS: Final = 32
FLOOR: Final = 1e-3
WIDTH: Final = 96
RECEPTIVE_FRAMES: Final = 76
STEP_FRAMES: Final = 8
RECEPTIVE_SAMPLES: Final = (RECEPTIVE_FRAMES - 1) * HOP + WINDOW
STEP_SAMPLES: Final = STEP_FRAMES * HOP
_MEL: Final = "map/while/linear_to_mel_weight_matrix:0"
_LEAK: Final = 0.2
_LOWEST: Final = -0.4


class Capped(nn.Module):
    """A leaky ReLU that ends at a lowest value."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(leaky(x), -0.4), of any shape."""
        return nn.functional.leaky_relu(x, _LEAK).clamp(min=_LOWEST)


class SpeechEmbedding(nn.Module):
    """Audio to embeddings; made by `load_speech_embedding`, never trained."""

    mel: Tensor
    window: Tensor

    def __init__(self, mel: Tensor, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("mel", mel)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True))

    def log_mel(self, audio: Tensor) -> Tensor:
        """Return (batch, frames, 32) log magnitudes of (batch, samples) audio in [-1, 1]."""
        frames = audio.unfold(1, WINDOW, HOP) * self.window
        magnitude = torch.fft.rfft(frames, n=FFT).abs()
        return torch.log(magnitude @ self.mel + FLOOR)

    def forward(self, audio: Tensor) -> Tensor:
        """Return embeddings (batch, rows, 96) of (batch, samples) audio in [-1, 1].

        Row i covers samples [i * 1280, i * 1280 + 12400).
        """
        embedded: Tensor = self.layers(self.log_mel(audio)[:, None])  # (b, 96, rows, 1)
        return embedded[..., 0].transpose(1, 2)


def load_speech_embedding(path: Path) -> SpeechEmbedding:
    """Read the published ONNX file; ConfigError where it is not that net.

    Raises MissingExtraError where onnx is not installed.
    """
    graph = _read(path)
    try:
        tensors = _initializers(graph)
        layers = [layer for node in graph.node for layer in _layer(node, tensors)]
        net = SpeechEmbedding(torch.from_numpy(tensors[_MEL].copy()), nn.Sequential(*layers))
        with torch.inference_mode():
            rows = net.eval()(torch.zeros(1, RECEPTIVE_SAMPLES))
    except (KeyError, IndexError, RuntimeError, ValueError) as fault:
        raise ConfigError(f"{path}: not the speech_embedding net ({fault})") from fault
    if rows.shape != (1, 1, WIDTH):
        raise ConfigError(f"{path}: gives {tuple(rows.shape)}, not one embedding of {WIDTH}")
    return net.requires_grad_(requires_grad=False)


def _read(path: Path) -> Any:
    try:
        import onnx
    except ImportError as fault:
        raise MissingExtraError(
            "reading speech_embedding needs onnx: pip install 'edgekws[export]'"
        ) from fault
    try:
        return onnx.load(str(path)).graph
    except Exception as fault:
        raise ConfigError(f"{path}: cannot be read as ONNX ({fault})") from fault


def _initializers(graph: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return the constants of a graph and of the body of its loop."""
    from onnx import numpy_helper

    bodies = [a.g for node in graph.node for a in node.attribute if a.name == "body"]
    return {
        constant.name: numpy_helper.to_array(constant)
        for part in (graph, *bodies)
        for constant in part.initializer
    }


def _layer(node: Any, tensors: dict[str, np.ndarray[Any, Any]]) -> list[nn.Module]:
    """Return what one node computes; the nodes of the front end compute nothing here."""
    constants = [torch.from_numpy(tensors[n].copy()) for n in node.input if n in tensors]
    match node.op_type:
        case "Conv":
            return [_convolution(*constants)]
        case "BatchNormalization":
            return [_norm(*constants)]
        case "MaxPool":
            kernel = next(tuple(a.ints) for a in node.attribute if a.name == "kernel_shape")
            return [nn.MaxPool2d(kernel)]
        case "Relu":
            return [nn.ReLU()]
        case "LeakyRelu":
            return [Capped()]
    return []


def _convolution(weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """Return a convolution that keeps the bands and takes time as it is."""
    channels_out, channels_in, *kernel = weight.shape
    layer = nn.Conv2d(
        channels_in,
        channels_out,
        (kernel[0], kernel[1]),
        padding=(0, kernel[1] // 2),
        bias=bias is not None,
    )
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias  # type: ignore[union-attr]
    return layer


def _norm(scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(len(scale), eps=1e-3)
    layer.weight.data, layer.bias.data = scale, shift
    layer.running_mean, layer.running_var = mean, variance
    return layer
