"""What every engine does alike: states, borders of 8 bits, arrays that it shares with nobody."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.engines import Engine, open_engine
from edgekws.engines.openvino_runtime import core
from edgekws.events import Floats
from tests import onnx_models, openvino_models, tflite_models
from tests.bundles import golden_vectors, graph_spec, model_spec, onnx_model
from tests.delay_net import SCALE, ZERO, delay_graph, run

ADDED: Final = {"onnx": 1e-6, "openvino": 2e-5, "tflite": 0.0}
"""What a sum of two numbers may be off by: each runtime has kernels of its own."""


@pytest.fixture(scope="module", params=["onnx", "openvino"])
def tones(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tone model in one format; the suffix says which."""
    folder = tmp_path_factory.mktemp("tones")
    if request.param == "openvino":
        net = core().read_model(onnx_model(model_spec()))
        return openvino_models.write(net, folder / "model.openvino.xml")
    path = folder / "model.onnx"
    path.write_bytes(onnx_model(model_spec()))
    return path


def open_tones(path: Path) -> Engine:
    format = "openvino" if path.suffix == ".xml" else "onnx"
    return open_engine(format, path, graph_spec(model_spec()))


@pytest.fixture
def engine(tones: Path) -> Engine:
    return open_tones(tones)


@pytest.fixture(scope="module")
def features() -> Floats:
    """Normalized features of the golden audio."""
    model = model_spec()
    vectors = golden_vectors(model, onnx_model(model))
    return np.asarray((vectors.features - np.float32(model.mean)) * np.float32(model.scale))


def open_delay(format: str, dtype: str, folder: Path) -> Engine:
    """Open the delay net in a format."""
    if format == "openvino":
        path = openvino_models.write(openvino_models.delay_net(dtype), folder / "delay.xml")
        return open_engine(format, path, delay_graph(dtype))
    models = {"onnx": onnx_models, "tflite": tflite_models}
    return open_engine(format, models[format].delay_model(dtype), delay_graph(dtype))


@pytest.mark.parametrize("steps_before", [1, 2, 7])
def test_reset_is_the_start_of_a_stream(
    engine: Engine, features: Floats, steps_before: int
) -> None:
    first = run(engine, features)
    engine.reset()
    run(engine, features[: 8 * steps_before])
    engine.reset()
    np.testing.assert_array_equal(run(engine, features), first)


def test_states_that_swallowed_nan_are_clean_after_reset(engine: Engine, features: Floats) -> None:
    first = run(engine, features)
    engine.reset()
    assert np.isnan(engine.step(np.full((8, 40), np.nan, np.float32))).all()
    engine.reset()
    np.testing.assert_array_equal(run(engine, features), first)


def test_scores_given_out_stay_as_they_are(engine: Engine, features: Floats) -> None:
    first = engine.step(features[:8])
    kept = first.copy()
    run(engine, features)
    np.testing.assert_array_equal(first, kept)


def test_features_given_in_are_not_kept_nor_changed(engine: Engine, features: Floats) -> None:
    step, untouched = features[:8].copy(), features[:8].copy()
    engine.step(step)
    np.testing.assert_array_equal(step, untouched)
    step.fill(np.nan)
    assert np.isfinite(engine.step(features[8:16])).all()


def test_two_engines_of_one_model_are_strangers(tones: Path, features: Floats) -> None:
    one, other = (open_tones(tones) for _ in range(2))
    together = [(one.step(step), other.step(-step)) for step in features.reshape(-1, 8, 40)]
    other.reset()
    np.testing.assert_array_equal(run(other, features), np.concatenate([a for a, _ in together]))


@pytest.mark.parametrize("format", ADDED)
def test_every_state_is_handed_on_to_its_own_input(format: str, tmp_path: Path) -> None:
    engine = open_delay(format, "float32", tmp_path)
    steps = np.random.default_rng(0).standard_normal((5, 4, 3)).astype(np.float32)
    before = np.zeros((2, 3), np.float32)
    for count, step in enumerate(steps):
        scores = engine.step(step)
        np.testing.assert_allclose(scores, before + np.float32(count), rtol=0, atol=ADDED[format])
        assert scores.dtype == np.float32
        before = step[2:]


@pytest.mark.parametrize("format", ADDED)
def test_int8_tensors_are_rounded_saturated_and_start_at_the_zero_point(
    format: str, tmp_path: Path
) -> None:
    engine = open_delay(format, "int8", tmp_path)
    step = np.zeros((4, 3), np.float32)
    step[2:] = [[0.25, 0.37, 0.38], [-0.38, 1000, -1000]]
    for _ in range(2):
        np.testing.assert_array_equal(engine.step(step), np.zeros((2, 3)))
        top, bottom = (127 - ZERO) * SCALE, (-128 - ZERO) * SCALE
        expected = [[0.25, 0.25, 0.5], [-0.5, top, bottom]]
        np.testing.assert_array_equal(engine.step(step), expected)
        engine.reset()
