"""The nodes of BC-ResNet; images are (1, channels, bands, frames), lines (1, channels, 1, frames).

The norm of bands is one factor and one term for each channel and band. It stays in float, as do
the mean over the bands, its swish and the sums: eight bits are for what convolutions read and give.
With the sums in eight bits too, the posteriors of a stream moved twice as far.
"""

from typing import Final

from edgekws.export.onnx_causal import (
    TIME,
    by_channel,
    causal,
    head,
    pointwise,
    sliding_pool,
)
from edgekws.export.onnx_graph import BANDED, POOL, Folded, GraphWriter, floats, fold, unfolded
from edgekws.train.nets import BcResNet
from edgekws.train.nets.broadcast import BandAffine, BroadcastBlock, CausalImageConv

BANDS_LAST: Final = [0, 2, 1, 3]


def bc_resnet_logits(graph: GraphWriter, net: BcResNet, features: str) -> str:
    """Add the net; return the name of the logits (1, rows, labels)."""
    inverse = Folded(floats(net.bands.weight()[:, :, None, None]), floats(net.bands.offset))
    x = graph.conv(inverse, by_channel(graph, features), name="bands")
    x = graph.add("Transpose", [x], "image", perm=BANDS_LAST)
    x = _image(graph, net.stem, x, folded=fold(net.stem.conv, net.stem_norm), name="stem")
    x = graph.relu(x, name="stem")
    for index, block in enumerate(net.stack()):
        x = _block(graph, block, x, name=f"block_{index}")
    x = _image(graph, net.gather, x, folded=unfolded(net.gather.conv), name="gather")
    x = pointwise(graph, net.embed, x, name="embed")
    step = [1, net.config.step_frames]
    x = graph.add("AveragePool", [x], f"{POOL}_step", kernel_shape=step, strides=step)
    return head(graph, net.head, sliding_pool(graph, net.pool, x))


def _image(graph: GraphWriter, layer: CausalImageConv, x: str, *, folded: Folded, name: str) -> str:
    conv = layer.conv
    x = graph.with_past(x, state=layer.state_shape(), axis=TIME, name=name)
    return graph.conv(
        folded,
        x,
        name=name,
        stride=(conv.stride[0], 1),
        padding=(layer.padding, 0),
        groups=conv.groups,
    )


def _block(graph: GraphWriter, block: BroadcastBlock, x: str, *, name: str) -> str:
    y = x
    if block.widen is not None:
        y = graph.conv(fold(block.widen.conv, block.widen.norm), y, name=f"{name}_widen")
        y = graph.relu(y, name=f"{name}_widen")
    conv, norm = block.frequency, block.band_norm.affine(block.bands_out)
    weight = conv.weight * norm.gain[:, None, None, None]
    y = graph.conv(
        Folded(floats(weight), None),
        y,
        name=f"{name}_frequency",
        stride=(conv.stride[0], 1),
        padding=(1, 0),
        groups=conv.groups,
    )
    y = _by_band(graph, norm, y, name=f"{BANDED}_{name}")
    y = graph.add("Add", [y, _line(graph, block, y, name=name)], f"{BANDED}_{name}_broadcast")
    if block.residual:
        y = graph.add("Add", [y, x], f"{BANDED}_{name}_sum")
    return graph.relu(y, name=f"{BANDED}_{name}_out")


def _by_band(graph: GraphWriter, norm: BandAffine, x: str, *, name: str) -> str:
    factor, term = (floats(values)[None, :, :, None] for values in (norm.factor, norm.term))
    x = graph.add("Mul", [x, graph.constant(f"{name}_factor", factor)], f"{name}_scaled")
    return graph.add("Add", [x, graph.constant(f"{name}_term", term)], name)


def _line(graph: GraphWriter, block: BroadcastBlock, x: str, *, name: str) -> str:
    """Add what a block does with the mean of all bands; return (1, channels, 1, frames)."""
    window = [block.bands_out, 1]
    y = graph.add("AveragePool", [x], f"{BANDED}_{name}_mean", kernel_shape=window, strides=[1, 1])
    y = causal(graph, block.temporal, y, name=f"{name}_temporal")
    gate = graph.add("Sigmoid", [y], f"{name}_gate")
    y = graph.add("Mul", [y, gate], f"{name}_swish")
    return graph.conv(unfolded(block.pointwise), y, name=f"{name}_pointwise")
