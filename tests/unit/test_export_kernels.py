"""Golden scores of a quantized TFLite model: reference kernels, with which the others agree."""

import numpy as np
import pytest

from edgekws.engines.tflite_engine import TfliteEngine, open_builtin, open_reference
from edgekws.errors import ParityError
from edgekws.events import Floats, Pcm
from edgekws.export.kernels import golden_scores
from edgekws.export.scores import clip_steps, score_steps
from edgekws.runtime.agreement import score_fault
from edgekws.specs import ModelKey, Precision
from tests.runs import trained
from tests.tflite_exports import PRECISIONS, converted, small_job

QUANTIZED = [precision for precision in PRECISIONS if precision != "fp32"]


def recording() -> Pcm:
    return trained().stream.pcm[: 3 * 16_000]


def scores_of(precision: Precision, opening: type[TfliteEngine] | object = TfliteEngine) -> Floats:
    made, model = converted()[precision], small_job().model
    assert callable(opening)
    return score_steps(
        model, opening(made.files[".tflite"], made.graph), clip_steps(model, recording())
    )


def golden(precision: Precision, *, found: Floats) -> Floats:
    made = converted()[precision]
    return golden_scores(
        small_job().model,
        recording(),
        key=ModelKey("tflite", precision),
        file=made.files[".tflite"],
        graph=made.graph,
        found=found,
    )


@pytest.mark.parametrize("precision", QUANTIZED)
def test_they_are_those_of_the_reference_kernels(precision: Precision) -> None:
    found = golden(precision, found=scores_of(precision))
    np.testing.assert_array_equal(found, scores_of(precision, open_reference))
    for opening in (TfliteEngine, open_builtin):
        assert score_fault(scores_of(precision, opening), found, precision=precision) is None


def test_of_floats_and_of_formats_without_reference_kernels_they_are_those_found() -> None:
    found = scores_of("fp32")
    assert golden("fp32", found=found) is found
    made = converted()["int8"]
    key = ModelKey("onnx", "int8")
    assert found is golden_scores(
        small_job().model, recording(), key=key, file=b"", graph=made.graph, found=found
    )


def test_a_device_that_gives_other_scores_is_no_parity() -> None:
    wrong = np.roll(scores_of("int8"), 1, axis=1)
    with pytest.raises(ParityError, match="tflite-int8: scores of the device's kernels differ"):
        golden("int8", found=wrong)
