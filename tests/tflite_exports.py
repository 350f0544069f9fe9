"""The small net of the tests as TFLite models, converted once in a test run."""

from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from edgekws.export.calibration import calibration_steps
from edgekws.export.formats import Converted, Job
from edgekws.export.to_tflite import convert
from edgekws.specs import GraphSpec, Precision
from edgekws.train.run import model_spec
from tests.once import made_once
from tests.runs import trained

PRECISIONS: Final[tuple[Precision, ...]] = ("int8", "int8-dynamic", "int16x8", "fp32")


@cache
def small_job() -> Job:
    """Return the small trained net with the audio that calibrates it."""
    made = trained()
    model = model_spec(made.run)
    clips = calibration_steps(model, made.calibration)
    return Job(made.net, model, clips, lambda _: None)


@cache
def converted() -> dict[Precision, Converted]:
    """Return the small net in every precision, as whichever process came first has made it."""
    folder = made_once("small-tflite", _convert)
    return {precision: _read(folder, precision) for precision in PRECISIONS}


def _convert(folder: Path) -> None:
    for made in convert(small_job(), PRECISIONS):
        (folder / made.precision).write_bytes(made.files[".tflite"])
        (folder / f"{made.precision}.json").write_bytes(msgspec.json.encode(made.graph))


def _read(folder: Path, precision: Precision) -> Converted:
    data = (folder / precision).read_bytes()
    graph = msgspec.json.decode((folder / f"{precision}.json").read_bytes(), type=GraphSpec)
    return Converted("tflite", precision, {".tflite": data}, graph)
