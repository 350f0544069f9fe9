"""The nodes of the speech_embedding net; images are (1, channels, bands, frames).

In 8 bits convolutions read and give 8 bits; what lies between them stays in float.
"""

from torch import Tensor, nn

from edgekws.export.onnx_causal import TIME, by_channel, causal, head, sliding_pool
from edgekws.export.onnx_graph import BANDED, POOL, Folded, GraphWriter, floats, fold
from edgekws.train.nets import EmbeddingNet
from edgekws.train.nets.broadcast import CausalImageConv
from edgekws.train.nets.embedding import LEAK, LOWEST, Stage, Stem


def embedding_logits(graph: GraphWriter, net: EmbeddingNet, features: str) -> str:
    """Add the net; return the name of the logits (1, rows, labels)."""
    x = by_channel(graph, features)  # (1, bands, 1, frames)
    x = graph.add("Transpose", [x], "image", perm=[0, 2, 1, 3])
    x = _stem(graph, net.body.stem, x)
    for index, stage in enumerate(net.body.stack()):
        x = _stage(graph, stage, x, name=f"stage_{index}")
    embed = net.body.embed
    x = _over_time(graph, embed, x, folded=fold(embed.conv, net.norm), name="embed")
    x = causal(graph, net.words, x, name="words")
    return head(graph, net.head, sliding_pool(graph, net.pool, x))


def _stem(graph: GraphWriter, stem: Stem, x: str) -> str:
    x = _over_time(graph, stem.over_both, x, folded=_as_it_is(stem.over_both.conv), name="stem")
    x = graph.relu(x, name="stem")
    term = graph.constant("stem_term", floats(stem.term)[None, :, None, None])
    x = graph.add("Add", [x, term], f"{BANDED}_stem_term")
    return _capped(graph, x, name="stem")


def _stage(graph: GraphWriter, stage: Stage, x: str, *, name: str) -> str:
    for index, pair in enumerate(stage.stack()):
        bands, time = pair.over_bands, pair.over_time
        own = f"{name}_{index}"
        x = graph.conv(_as_it_is(bands), x, name=f"{own}_bands", padding=(1, 0))
        x = _capped(graph, x, name=f"{own}_bands")
        x = _over_time(graph, time, x, folded=_as_it_is(time.conv), name=f"{own}_time")
        x = _capped(graph, x, name=f"{own}_time")
    window = list(stage.pool)
    return graph.add("MaxPool", [x], f"{POOL}_{name}", kernel_shape=window, strides=window)


def _over_time(
    graph: GraphWriter, layer: CausalImageConv, x: str, *, folded: Folded, name: str
) -> str:
    x = graph.with_past(x, state=layer.state_shape(), axis=TIME, name=name)
    return graph.conv(folded, x, name=name, padding=(layer.padding, 0))


def _capped(graph: GraphWriter, x: str, *, name: str) -> str:
    """Add a leaky ReLU that ends at a lowest value."""
    x = graph.add("LeakyRelu", [x], f"{name}_leaky", alpha=LEAK)
    lowest = graph.constant("lowest", floats(Tensor([LOWEST]))[0])
    return graph.add("Clip", [x, lowest], f"{name}_capped")


def _as_it_is(conv: nn.Conv2d) -> Folded:
    return Folded(floats(conv.weight), None if conv.bias is None else floats(conv.bias))
