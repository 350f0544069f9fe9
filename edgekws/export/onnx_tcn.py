"""The nodes of the streaming temporal convolution net; tensors are (1, channels, 1, frames)."""

from edgekws.export.onnx_causal import by_channel, causal, head, pointwise, sliding_pool
from edgekws.export.onnx_graph import GraphWriter
from edgekws.train.nets import StreamingTcn
from edgekws.train.nets.tcn import SeparableBlock


def tcn_logits(graph: GraphWriter, net: StreamingTcn, features: str) -> str:
    """Add the net; return the name of the logits (1, rows, labels)."""
    x = by_channel(graph, features)
    x = causal(graph, net.stem, x, name="stem")
    for index, block in enumerate(net.stack()):
        x = _block(graph, block, x, name=f"block_{index}")
    x = pointwise(graph, net.embed, x, name="embed")
    if net.order is not None:
        x = causal(graph, net.order, x, name="order")
    return head(graph, net.head, sliding_pool(graph, net.pool, x))


def _block(graph: GraphWriter, block: SeparableBlock, x: str, *, name: str) -> str:
    y = x
    for index, (depthwise, mixing) in enumerate(block.layers()):
        y = causal(graph, depthwise, y, name=f"{name}_depthwise_{index}")
        y = pointwise(graph, mixing, y, name=f"{name}_pointwise_{index}")
    if block.residual:
        y = graph.add("Add", [y, x], f"{name}_sum")
    return graph.relu(y, name=name)
