"""The nodes of the layers that nets share; tensors are (1, channels, 1, frames).

They are those of `train.nets.causal`, and what stands at both ends of a net.
"""

from typing import Final

from torch import nn

from edgekws.export.onnx_graph import POOL, GraphWriter, as_conv, fold
from edgekws.train.nets.causal import CausalConv, Pointwise, SlidingPool

CHANNELS: Final = 1
TIME: Final = 3


def by_channel(graph: GraphWriter, features: str) -> str:
    """Turn features (1, frames, channels) to where convolutions take them."""
    x = graph.add("Transpose", [features], "features_by_channel", perm=[0, 2, 1])
    return graph.add("Unsqueeze", [x, graph.integers("number_2", [2])], "features_as_rows")


def head(graph: GraphWriter, linear: nn.Linear, x: str) -> str:
    """Add the last layer; return the name of the logits (1, rows, labels)."""
    x = graph.conv(as_conv(linear), x, name="logits_by_label")
    x = graph.add("Squeeze", [x, graph.integers("number_2", [2])], "logits_as_columns")
    return graph.add("Transpose", [x], "logits", perm=[0, 2, 1])


def causal(graph: GraphWriter, layer: CausalConv, x: str, *, name: str) -> str:
    """Add a convolution with its past."""
    conv = layer.conv
    state = (1, conv.in_channels, 1, layer.history)
    x = graph.with_past(x, state=state, axis=TIME, name=name)
    x = graph.conv(
        fold(conv, layer.norm),
        x,
        name=name,
        stride=(1, conv.stride[0]),
        dilation=(1, conv.dilation[0]),
        groups=conv.groups,
    )
    return graph.relu(x, name=name) if layer.relu else x


def pointwise(graph: GraphWriter, layer: Pointwise, x: str, *, name: str) -> str:
    """Add a 1x1 convolution."""
    x = graph.conv(fold(layer.conv, layer.norm), x, name=name)
    return graph.relu(x, name=name) if layer.relu else x


def sliding_pool(graph: GraphWriter, pool: SlidingPool, x: str) -> str:
    """Add mean and maximum over the last frames, side by side."""
    state = (1, pool.channels, 1, pool.frames - 1)
    x = graph.with_past(x, state=state, axis=TIME, name=POOL)
    window, stride = [1, pool.frames], [1, 1]
    mean = graph.add("AveragePool", [x], f"{POOL}_mean", kernel_shape=window, strides=stride)
    peak = graph.add("MaxPool", [x], f"{POOL}_peak", kernel_shape=window, strides=stride)
    return graph.add("Concat", [mean, peak], f"{POOL}ed", axis=CHANNELS)
