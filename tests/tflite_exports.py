"""The small net of the tests as TFLite models, converted once per test session."""

from functools import cache
from typing import Final

from edgekws.export.calibration import calibration_steps
from edgekws.export.formats import Converted, Job
from edgekws.export.to_tflite import convert
from edgekws.specs import Precision
from edgekws.train.run import model_spec
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
    """Return the small net in every precision."""
    return {made.precision: made for made in convert(small_job(), PRECISIONS)}
