"""The same weights at another step: the same scores, fewer calls; and steps that cannot be."""

from pathlib import Path

import numpy as np
import pytest

from edgekws.bundle import open_bundle
from edgekws.errors import UsageError
from edgekws.events import Block
from edgekws.export.keys import parse_key
from edgekws.export.pipeline import export_run
from edgekws.export.scores import clip_steps, score_steps
from edgekws.export.stepping import at_step, finer_run
from edgekws.runtime.wiring import open_device
from edgekws.specs import ModelKey
from edgekws.train.run import model_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import FAMILY, SMALL_ORDERED, trained, write_run

A_STEP = 1280  # samples: the longer of both steps, at whose end detections come


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


def test_a_shorter_step_takes_the_same_weights_more_often() -> None:
    run = trained().run
    finer = finer_run(run, 20)
    model = at_step(model_spec(finer), 20)
    assert (model.step_frames, model.scores_per_step) == (2, 1)
    assert model.parameters == model_spec(run).parameters
    assert model.window_frames == model_spec(run).window_frames
    assert finer_run(run, 80) == finer_run(run, 45) == run


@pytest.mark.parametrize(("name", "milliseconds"), [("gru", 20), ("tcn", 45), ("tcn", 0)])
def test_what_no_strides_allow_is_refused(name: str, milliseconds: int) -> None:
    run = finer_run(trained(FAMILY[name]).run, milliseconds)
    with pytest.raises(UsageError, match=r"gives scores every 40 ms, take a multiple"):
        at_step(model_spec(run), milliseconds)


@pytest.mark.parametrize("key", ["onnx-fp32", "tflite-int8-fused"])
def test_a_run_exported_at_a_short_step_hears_the_same(tmp_path: Path, key: str) -> None:
    run, pcm = write_run(tmp_path), trained().stream.pcm
    heard = []
    for step in (80, 10):
        model = [parse_key(key)]
        place = export_run(run, tmp_path / "dist", "x86", say=quiet, models=model, step_ms=step)
        detector = open_device(open_bundle(place)).detector
        heard.append(list(detector.push(Block(pcm, 0, 16_000))))
    usual, often = heard
    assert len(usual) == len(trained().stream.truth)
    assert [found.label for found in often] == [found.label for found in usual]
    for one, other in zip(often, usual, strict=True):
        assert abs(one.sample - other.sample) <= A_STEP


def test_a_net_with_order_below_its_pool_takes_short_steps_too(tmp_path: Path) -> None:
    run, said = write_run(tmp_path, SMALL_ORDERED), list[str]()
    models = [parse_key("onnx-fp32"), parse_key("tflite-int8")]
    export_run(run, tmp_path / "dist", "x86", say=said.append, models=models, step_ms=20)
    for line in said[-2:]:
        assert float(line.split()[2].rstrip("%")) > 95, line


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
