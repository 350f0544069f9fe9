"""The same weights at another step: the same scores, fewer calls; and steps that cannot be."""

from pathlib import Path

import numpy as np
import pytest

from edgekws.bundle import open_bundle
from edgekws.errors import UsageError
from edgekws.export.pipeline import export_run
from edgekws.export.scores import clip_steps, score_steps
from edgekws.export.stepping import at_step
from edgekws.runtime.wiring import open_device
from edgekws.specs import ModelKey
from edgekws.train.run import model_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import trained, write_run


def quiet(_: str) -> None:
    """Say nothing."""


def test_rows_of_scores_stay_as_far_apart() -> None:
    usual = model_spec(trained().run)
    model = at_step(usual, 160)
    assert (model.step_frames, model.scores_per_step) == (16, 4)
    assert model.samples_per_score == usual.samples_per_score
    assert at_step(model, 80) == usual


@pytest.mark.parametrize("milliseconds", [20, 60, 45, 0])
def test_what_no_row_ends_with_is_refused(milliseconds: int) -> None:
    with pytest.raises(UsageError, match=r"gives scores every 40 ms, take a multiple"):
        at_step(model_spec(trained().run), milliseconds)


def test_a_run_exported_at_another_step_gives_the_same_scores(tmp_path: Path) -> None:
    run, key = write_run(tmp_path), ModelKey("onnx", "fp32")
    scores = []
    for step in (None, 160):
        place = export_run(run, tmp_path / "dist", "x86", say=quiet, models=[key], step_ms=step)
        device = open_device(open_bundle(place))
        steps = clip_steps(device.detector.model, trained().stream.pcm)
        scores.append(score_steps(device.detector.model, device.engine, steps))
    assert {path.name for path in (tmp_path / "dist").iterdir() if path.is_dir()} == {
        "tones-x86",
        "tones-x86-160ms",
    }
    usual, longer = scores
    np.testing.assert_allclose(longer, usual[: len(longer)], rtol=0, atol=FP32_POSTERIORS)
