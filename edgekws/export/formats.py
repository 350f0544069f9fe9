"""The formats that a trained net can take, and where the converter of each one lives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.errors import MissingExtraError
from edgekws.events import Floats
from edgekws.export.keys import Key
from edgekws.specs import Format, GraphSpec, ModelSpec, Precision
from edgekws.train.nets import StreamingNet

Say = Callable[[str], None]
Steps = Sequence[Floats]

CONVERTERS: Final = {
    "onnx": "edgekws.export.onnx_format:convert",
    "tflite": "edgekws.export.to_tflite:convert",
    "openvino": "edgekws.export.to_openvino:convert",
}
"""Format to "module:function", imported only when that format is asked for."""

EXTRAS: Final = {"onnx": "export", "tflite": "export-tflite", "openvino": "export-openvino"}
"""What brings each converter."""


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
        return f"{self.format}-{self.precision}"

    @property
    def size(self) -> int:
        """Return the bytes of its files together."""
        return sum(map(len, self.files.values()))

    def named_files(self) -> dict[str, bytes]:
        """Return the files under the names that they have in a bundle."""
        return {f"model-{self.precision}{suffix}": data for suffix, data in self.files.items()}

    def open(self, folder: Path) -> Engine:
        """Write the files into a folder, and open them there as a device does."""
        for name, data in self.named_files().items():
            (folder / name).write_bytes(data)
        return open_engine(self.format, folder / next(iter(self.named_files())), self.graph)


Converter = Callable[[Job, Sequence[Precision]], list[Converted]]


def convert(job: Job, wanted: Sequence[Key]) -> list[Converted]:
    """Return the models that are wanted, in that order.

    Raises MissingExtraError where a converter is not installed, ExportError for a layer that a
    format cannot express.
    """
    made: dict[Key, Converted] = {}
    for format in dict.fromkeys(format for format, _ in wanted):
        precisions = [precision for other, precision in wanted if other == format]
        for model in _converter(format)(job, precisions):
            made[model.format, model.precision] = model
    return [made[key] for key in wanted]


def _converter(format: Format) -> Converter:
    module, _, name = CONVERTERS[format].partition(":")
    try:
        return cast(Converter, getattr(import_module(module), name))
    except ImportError as error:
        raise MissingExtraError(
            f"exporting to {format} needs {error.name}, which is not installed or does not load: "
            f"pip install 'edgekws[{EXTRAS[format]}]'"
        ) from error
