"""The windowed net in the formats that have a converter of their own: equal to the trained one."""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch

from edgekws.engines.registry import open_engine
from edgekws.export.formats import Converted, Job, convert
from edgekws.export.parity import compare, reference, require_parity
from edgekws.export.scores import clip_steps, score_steps
from edgekws.specs import ModelKey
from edgekws.train.run import model_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import SMALL_DS_CNN, shaken_net, trained

KEYS: Final[tuple[ModelKey, ...]] = (
    ModelKey("tflite", "int8"),
    ModelKey("tflite", "int16x8"),
    ModelKey("tflite", "int8-dynamic"),
    ModelKey("tflite", "fp32"),
    ModelKey("openvino", "int8"),
    ModelKey("openvino", "fp16"),
)
LARGEST_DIFFERENCE: Final = {
    "int8": 0.1,  # on clips whose label is sure: 0.03 measured, a wrong range costs 0.5
    "int8-dynamic": 0.1,  # 0.02 measured
    "int16x8": 0.03,  # the rounding of weights is left: 0.01 measured
    "fp16": 2e-3,  # 3e-4 measured
    "fp32": FP32_POSTERIORS,
}


@cache
def converted() -> dict[ModelKey, Converted]:
    made = trained(SMALL_DS_CNN)
    model = model_spec(made.run)
    clips = tuple(clip_steps(model, clip) for clip in made.calibration)
    models = convert(Job(made.net, model, clips, lambda _: None), KEYS)
    return dict(zip(KEYS, models, strict=True))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_every_format_passes(key: ModelKey, tmp_path: Path) -> None:
    made, model = trained(SMALL_DS_CNN), converted()[key]
    engine = model.open(tmp_path)
    spec = model_spec(made.run)
    trained_net = reference(made.net, spec, made.heldout, made.truths)
    figures = compare(spec, engine, trained_net, key=model.key, size=model.size)
    require_parity(figures, precision=key.precision)
    assert figures.largest_difference < LARGEST_DIFFERENCE[key.precision]
    assert figures.agreement >= 0.98


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_one_state_is_the_window_without_a_step(key: ModelKey) -> None:
    (state,) = converted()[key].graph.states
    assert np.prod(state.input.shape) == (24 - 4) * 10


def test_tflite_gives_the_posteriors_of_torch_from_the_start_of_a_stream() -> None:
    net, model = shaken_net(SMALL_DS_CNN, n_labels=4), model_spec(trained(SMALL_DS_CNN).run)
    (made,) = convert(Job(net, model, (), lambda _: None), [ModelKey("tflite", "fp32")])
    steps = np.random.default_rng(1).standard_normal((15, 8, 40), np.float32)
    engine = open_engine("tflite", made.files[".tflite"], made.graph)
    with torch.inference_mode():
        logits, _ = net(torch.from_numpy(steps.reshape(1, -1, 40)), net.zero_states())
        expected = torch.softmax(logits, -1)[0].numpy()
    scores = score_steps(model, engine, list(steps))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=FP32_POSTERIORS)
