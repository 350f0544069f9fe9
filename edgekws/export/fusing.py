"""The front end inside the graph: samples in, scores out, one call per step.

What is fused is a finished model file of any kind and precision, so a bundle can be fused without
the run that it comes from. The graph takes all samples of a step, those that it shares with the
step before included, and holds no state for them: a fresh start is then no special case, and
scores lie where those of the model without a front end lie.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edgekws.export.mfcc_matrices import fits_a_graph
from edgekws.export.tools import find_tool
from edgekws.specs import Format, GraphSpec, ModelKey, ModelSpec

FUSERS: Final[Mapping[Format, str]] = {
    "onnx": "edgekws.export.onnx_frontend:fuse",
    "tflite": "edgekws.export.tflite_frontend:fuse",
    "openvino": "edgekws.export.openvino_frontend:fuse",
}
"""Format to "module:function", imported only when that format is asked for."""

Files = dict[str, bytes]
Fuser = Callable[[Files, GraphSpec, ModelSpec], tuple[Files, GraphSpec]]


def fusable(models: Sequence[ModelKey], model: ModelSpec) -> tuple[ModelKey, ...]:
    """Return the models of a board, of which none is fused where no graph can hold the features."""
    if fits_a_graph(model.features):
        return tuple(models)
    return tuple(dict.fromkeys(key._replace(fused=False) for key in models))


def fuse(
    format: Format, files: Files, graph: GraphSpec, model: ModelSpec
) -> tuple[Files, GraphSpec]:
    """Return the files of a model, by suffix, that takes samples, and its signature.

    Raises MissingExtraError where what writes the format is not installed, ExportError for
    features that no graph can hold.
    """
    fuser: Fuser = find_tool(FUSERS, format)
    return fuser(files, graph, model)
