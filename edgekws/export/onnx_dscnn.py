"""The nodes of the windowed DS-CNN; tensors are (windows, channels, frames, coefficients)."""

from typing import Final

from edgekws.export.onnx_graph import WINDOW, GraphWriter, as_conv, fold
from edgekws.train.nets import DsCnnNet
from edgekws.train.nets.dscnn import ImageConv

BATCH: Final = 0
TIME: Final = 2


def ds_cnn_logits(graph: GraphWriter, net: DsCnnNet, features: str, *, rows: int) -> str:
    """Add the net; return the name of the logits (1, rows, labels).

    The windows of a step go through the same nodes side by side. Up to the first convolution all is
    copying, and stays in float: rounded values would be rounded again in every step of a window.
    """
    x = _windows(graph, net, features, rows=rows)
    for index, layer in enumerate(net.stack()):
        x = _conv(graph, layer, x, name=f"conv_{index}")
    x = graph.add("GlobalAveragePool", [x], "pooled")
    x = graph.conv(as_conv(net.head), x, name="logits_by_window")  # (windows, labels, 1, 1)
    shape = graph.integers("logits_shape", [1, rows, net.head.out_features])
    return graph.add("Reshape", [x, shape], "logits")


def _conv(graph: GraphWriter, layer: ImageConv, x: str, *, name: str) -> str:
    conv = layer.conv
    x = graph.conv(
        fold(conv, layer.norm),
        x,
        name=name,
        stride=conv.stride,
        padding=layer.padding,
        groups=conv.groups,
    )
    return graph.relu(x, name=name)


def _windows(graph: GraphWriter, net: DsCnnNet, features: str, *, rows: int) -> str:
    """Add the state, and the window of every row that the step completes."""
    config = net.config
    x = graph.part(features, f"{WINDOW}_columns", axis=2, first=0, end=config.mfcc)
    x = graph.add("Unsqueeze", [x, graph.integers("number_1", [1])], f"{WINDOW}_frames")
    state = (1, 1, net.history, config.mfcc)
    x = graph.with_past(x, state=state, axis=TIME, name=WINDOW)
    if rows == 1:
        return x
    cuts = []
    for row in range(rows):
        first = row * config.step_frames
        end = first + config.window_frames
        cuts.append(graph.part(x, f"{WINDOW}_{row}", axis=TIME, first=first, end=end))
    return graph.add("Concat", cuts, f"{WINDOW}s", axis=BATCH)
