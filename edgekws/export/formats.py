"""The formats that a trained net can take, and where the converter of each one lives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.events import Floats
from edgekws.export.fusing import fuse
from edgekws.export.tools import find_tool
from edgekws.specs import Format, GraphSpec, ModelKey, ModelSpec, Precision
from edgekws.train.nets import StreamingNet

Say = Callable[[str], None]
Steps = Sequence[Floats]

CONVERTERS: Final[Mapping[Format, str]] = {
    "onnx": "edgekws.export.onnx_format:convert",
    "tflite": "edgekws.export.to_tflite:convert",
    "openvino": "edgekws.export.to_openvino:convert",
}
"""Format to "module:function", imported only when that format is asked for."""


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """A net in eval mode, and real audio to calibrate on; each job is equal to itself alone.

    `clips` are streams from their start: steps of normalized features (step_frames, n_mfcc).
    """

    net: StreamingNet
    model: ModelSpec
    clips: tuple[Steps, ...]
    say: Say


@dataclass(frozen=True, slots=True)
class Converted:
    """One model in one format; `files` maps a suffix such as ".onnx" to bytes, the graph first."""

    format: Format
    precision: Precision
    files: dict[str, bytes]
    graph: GraphSpec

    @property
    def key(self) -> str:
        """Return its name among the models of a bundle, such as "onnx-int8"."""
        return str(ModelKey(self.format, self.precision, fused=self.graph.fused))

    @property
    def size(self) -> int:
        """Return the bytes of its files together."""
        return sum(map(len, self.files.values()))

    def named_files(self) -> dict[str, bytes]:
        """Return the files under the names that they have in a bundle."""
        stem = f"model{self.key.removeprefix(self.format)}"
        return {f"{stem}{suffix}": data for suffix, data in self.files.items()}

    def open(self, folder: Path) -> Engine:
        """Write the files into a folder, and open them there as a device does."""
        for name, data in self.named_files().items():
            (folder / name).write_bytes(data)
        return open_engine(self.format, folder / next(iter(self.named_files())), self.graph)


Converter = Callable[[Job, Sequence[Precision]], list[Converted]]


def convert(job: Job, wanted: Sequence[ModelKey]) -> list[Converted]:
    """Return the models that are wanted, in that order; fused ones are made from the others.

    Raises MissingExtraError where a converter is not installed, ExportError for a layer that a
    format cannot express.
    """
    made: dict[ModelKey, Converted] = {}
    for format in dict.fromkeys(key.format for key in wanted):
        precisions = dict.fromkeys(key.precision for key in wanted if key.format == format)
        converter: Converter = find_tool(CONVERTERS, format)
        for model in converter(job, list(precisions)):
            made[ModelKey(format, model.precision)] = model
    for key in wanted:
        if key.fused:
            plain = made[key._replace(fused=False)]
            files, graph = fuse(key.format, plain.files, plain.graph, job.model)
            made[key] = Converted(key.format, key.precision, files, graph)
    return [made[key] for key in wanted]
