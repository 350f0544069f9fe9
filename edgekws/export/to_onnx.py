"""A trained net as an ONNX graph of one step: features and states in, posteriors and states out.

Each kind of net has a file of its own that adds its nodes. Batch norm is folded into the
convolution before it.
"""

from typing import Final

import onnx

from edgekws.export.onnx_bcresnet import bc_resnet_logits
from edgekws.export.onnx_crnn import crnn_logits
from edgekws.export.onnx_dscnn import ds_cnn_logits
from edgekws.export.onnx_embedding import embedding_logits
from edgekws.export.onnx_graph import GraphWriter
from edgekws.export.onnx_tcn import tcn_logits
from edgekws.specs import GraphSpec, ModelSpec, StateSpec, TensorSpec
from edgekws.train.nets import BcResNet, Crnn, DsCnnNet, EmbeddingNet, StreamingNet, StreamingTcn

FEATURES: Final = "features"
SCORES: Final = "scores"


def to_onnx(net: StreamingNet, model: ModelSpec) -> onnx.ModelProto:
    """Return the step graph of a net in eval mode; equal weights give equal bytes."""
    graph = GraphWriter()
    x = graph.features(FEATURES, (1, model.step_frames, model.features.n_mfcc))
    logits = _logits(graph, net, x, rows=model.scores_per_step)
    graph.add("Softmax", [logits], SCORES, axis=-1)
    graph.scores(SCORES, (1, model.scores_per_step, len(model.labels)))
    return graph.model()


def graph_spec(model: onnx.ModelProto) -> GraphSpec:
    """Return the signature of a step graph, as the device reads it from the manifest."""
    inputs = [_tensor_spec(value) for value in model.graph.input]
    outputs = [_tensor_spec(value) for value in model.graph.output]
    pairs = zip(inputs[1:], outputs[1:], strict=True)
    states = tuple(StateSpec(input=before, output=after) for before, after in pairs)
    return GraphSpec(features=inputs[0], scores=outputs[0], states=states)


def _logits(graph: GraphWriter, net: StreamingNet, features: str, *, rows: int) -> str:
    match net:
        case StreamingTcn():
            return tcn_logits(graph, net, features)
        case BcResNet():
            return bc_resnet_logits(graph, net, features)
        case Crnn():
            return crnn_logits(graph, net, features, rows=rows)
        case DsCnnNet():
            return ds_cnn_logits(graph, net, features, rows=rows)
        case EmbeddingNet():
            return embedding_logits(graph, net, features)


def _tensor_spec(value: onnx.ValueInfoProto) -> TensorSpec:
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    return TensorSpec(name=value.name, shape=shape, dtype="float32", scale=1.0, zero_point=0)
