"""With the front end inside the graph every model is what it is with the front end outside."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.events import Floats, Pcm
from edgekws.export.formats import Converted, Job, convert
from edgekws.export.keys import PRECISIONS
from edgekws.export.scores import clip_steps, score_steps
from edgekws.specs import ModelKey, ModelSpec, Precision
from edgekws.train.nets import NetConfig
from edgekws.train.run import model_spec
from tests.parity.tolerances import (
    FUSED_FP32_POSTERIORS,
    FUSED_INT8_MEAN,
    FUSED_INT8_POSTERIORS,
)
from tests.runs import RATE, SMALL_DS_CNN, SMALL_NET, trained
from tests.speech import Speech

ALL: Final = [ModelKey(f, precision) for f, held in PRECISIONS.items() for precision in held]
SOME: Final = [ModelKey("onnx", "int8"), ModelKey("tflite", "int8"), ModelKey("openvino", "fp16")]
CASES: Final = [(SMALL_NET, key) for key in ALL] + [(SMALL_DS_CNN, key) for key in SOME]
SECONDS: Final = 20
TOLERANCES: Final[Mapping[Precision, float]] = {
    "fp32": FUSED_FP32_POSTERIORS,
    "fp16": FUSED_FP32_POSTERIORS,  # the 16 bits are in the net's weights alone
    "int8": FUSED_INT8_POSTERIORS,
    "int8-dynamic": FUSED_INT8_POSTERIORS,
    "int16x8": FUSED_INT8_POSTERIORS,
}

every_model = pytest.mark.parametrize(
    ("config", "key"), CASES, ids=[f"{type(config).__name__}-{key}" for config, key in CASES]
)


@cache
def spec(config: NetConfig) -> ModelSpec:
    return model_spec(trained(config).run)


@cache
def converted(config: NetConfig) -> dict[ModelKey, Converted]:
    """Return a small net in every format, plain and fused."""
    made, model = trained(config), spec(config)
    clips = tuple(clip_steps(model, clip) for clip in made.calibration)
    plain = [key for own, key in CASES if own is config]
    keys = [*plain, *(key._replace(fused=True) for key in plain)]
    models = convert(Job(made.net, model, clips, lambda _: None), keys)
    return dict(zip(keys, models, strict=True))


def require_same_scores(config: NetConfig, key: ModelKey, pcm: Pcm, folder: Path) -> None:
    """Stream audio through the model with the front end outside and inside."""
    plain, fused = converted(config)[key], converted(config)[key._replace(fused=True)]
    outside, inside = scores_of(plain, config, pcm, folder), scores_of(fused, config, pcm, folder)
    np.testing.assert_allclose(inside, outside, rtol=0, atol=TOLERANCES[key.precision])
    assert np.abs(inside - outside).mean() < FUSED_INT8_MEAN
    assert np.ptp(outside) > 0.5  # the net does decide something here


def scores_of(model: Converted, config: NetConfig, pcm: Pcm, folder: Path) -> Floats:
    """Return the posteriors of a stream, (rows, n_labels)."""
    steps = clip_steps(spec(config), pcm, graph=model.graph)
    return score_steps(spec(config), model.open(folder), steps)


@every_model
def test_speech_scores_alike(
    config: NetConfig, key: ModelKey, speech: Speech, tmp_path: Path
) -> None:
    require_same_scores(config, key, speech.sentences(SECONDS * RATE), tmp_path)


@every_model
def test_tones_at_full_scale_and_digital_silence_score_alike(
    config: NetConfig, key: ModelKey, tmp_path: Path
) -> None:
    """There float32 is at its worst: a strong line beside bands of nothing."""
    time = np.arange(SECONDS * RATE) / RATE
    loud = 32767 * np.sin(2 * np.pi * (100 + 150 * time) * time)
    audible = np.floor(time) % 3 < 2
    require_same_scores(config, key, np.where(audible, loud, 0).astype(np.int16), tmp_path)


@every_model
def test_the_graph_says_what_it_takes(config: NetConfig, key: ModelKey) -> None:
    plain, fused = converted(config)[key], converted(config)[key._replace(fused=True)]
    samples = fused.graph.features
    assert (samples.name, samples.dtype) == ("samples", "float32")
    assert samples.shape == (1, spec(config).features.samples(8))
    assert (fused.graph.scores, fused.graph.states) == (plain.graph.scores, plain.graph.states)
    assert fused.key == f"{plain.key}-fused"
    assert fused.files.keys() == plain.files.keys()


@every_model
def test_a_reset_forgets_what_was_heard(
    config: NetConfig, key: ModelKey, speech: Speech, tmp_path: Path
) -> None:
    fused = converted(config)[key._replace(fused=True)]
    engine = fused.open(tmp_path)
    steps = clip_steps(spec(config), speech.sentences(2 * RATE), graph=fused.graph)
    first = score_steps(spec(config), engine, steps)
    np.testing.assert_array_equal(score_steps(spec(config), engine, steps), first)


@pytest.mark.parametrize("key", SOME, ids=str)
def test_equal_models_fuse_to_equal_bytes(key: ModelKey) -> None:
    fused = key._replace(fused=True)
    made = trained(SMALL_DS_CNN)
    clips = tuple(clip_steps(spec(SMALL_DS_CNN), clip) for clip in made.calibration)
    (again,) = convert(Job(made.net, spec(SMALL_DS_CNN), clips, lambda _: None), [fused])
    assert again.files == converted(SMALL_DS_CNN)[fused].files
