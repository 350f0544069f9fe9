"""The nodes of the streaming temporal convolution net; tensors are (1, channels, 1, frames)."""

from typing import Final

from edgekws.export.onnx_graph import POOL, GraphWriter, as_conv, fold
from edgekws.train.nets import StreamingTcn
from edgekws.train.nets.causal import CausalConv, Pointwise, SlidingPool
from edgekws.train.nets.tcn import SeparableBlock

TIME: Final = 3


def tcn_logits(graph: GraphWriter, net: StreamingTcn, features: str) -> str:
    """Add the net; return the name of the logits (1, rows, labels)."""
    x = graph.add("Transpose", [features], "features_by_channel", perm=[0, 2, 1])
    x = graph.add("Unsqueeze", [x, graph.integers("number_2", [2])], "features_as_rows")
    x = _causal(graph, net.stem, x, name="stem")
    for index, block in enumerate(net.stack()):
        x = _block(graph, block, x, name=f"block_{index}")
    x = _pointwise(graph, net.embed, x, name="embed")
    x = _pool(graph, net.pool, x)
    x = graph.conv(as_conv(net.head), x, name="logits_by_label")
    x = graph.add("Squeeze", [x, graph.integers("number_2", [2])], "logits_as_columns")
    return graph.add("Transpose", [x], "logits", perm=[0, 2, 1])


def _causal(graph: GraphWriter, layer: CausalConv, x: str, *, name: str) -> str:
    conv = layer.conv
    state = (1, conv.in_channels, 1, layer.history)
    x = graph.with_past(x, state=state, axis=TIME, name=name)
    folded, stride = fold(conv, layer.norm), (1, conv.stride[0])
    x = graph.conv(folded, x, name=name, stride=stride, groups=conv.groups)
    return graph.relu(x, name=name) if layer.relu else x


def _pointwise(graph: GraphWriter, layer: Pointwise, x: str, *, name: str) -> str:
    x = graph.conv(fold(layer.conv, layer.norm), x, name=name)
    return graph.relu(x, name=name) if layer.relu else x


def _block(graph: GraphWriter, block: SeparableBlock, x: str, *, name: str) -> str:
    y = x
    for index, (depthwise, pointwise) in enumerate(block.layers()):
        y = _causal(graph, depthwise, y, name=f"{name}_depthwise_{index}")
        y = _pointwise(graph, pointwise, y, name=f"{name}_pointwise_{index}")
    if block.residual:
        y = graph.add("Add", [y, x], f"{name}_sum")
    return graph.relu(y, name=name)


def _pool(graph: GraphWriter, pool: SlidingPool, x: str) -> str:
    state = (1, pool.channels, 1, pool.frames - 1)
    x = graph.with_past(x, state=state, axis=TIME, name=POOL)
    window, stride = [1, pool.frames], [1, 1]
    mean = graph.add("AveragePool", [x], f"{POOL}_mean", kernel_shape=window, strides=stride)
    peak = graph.add("MaxPool", [x], f"{POOL}_peak", kernel_shape=window, strides=stride)
    return graph.add("Concat", [mean, peak], f"{POOL}ed", axis=1)
