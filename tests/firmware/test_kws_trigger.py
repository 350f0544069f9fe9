"""The trigger in C decides as the one in Python, on any posteriors and with any values."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import ExportError
from edgekws.events import Floats
from edgekws.export.mcu_trigger import least_sum, trigger_values
from edgekws.runtime.trigger import Trigger
from edgekws.specs import ModelSpec, TriggerSpec
from tests.bundles import model_spec
from tests.kws_firmware import CTrigger, Firmware

LABELS: Final = ("_silence_", "_unknown_", "yes", "no", "go")
ROWS: Final = 250

spec_values = st.builds(
    lambda on, share, mean, consecutive, refractory: TriggerSpec(
        on=on,
        off=on * share,
        mean_samples=mean,
        consecutive=consecutive,
        refractory_samples=refractory,
    ),
    st.floats(0.05, 1.0),
    st.floats(0.1, 1.0),
    st.integers(1, 8000),
    st.integers(1, 4),
    st.integers(0, 16_000),
)


def posteriors(seed: int) -> np.ndarray:
    """Return (ROWS, labels) int8 that wander between sure and unsure."""
    generator = np.random.default_rng(seed)
    walk = np.cumsum(generator.normal(0, 1.5, (ROWS, len(LABELS))), axis=0)
    shares = np.exp(walk - walk.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.clip(np.rint(shares * 256) - 128, -128, 127).astype(np.int8)


def decisions(model: ModelSpec, triggers: dict[str, TriggerSpec], scores: np.ndarray) -> list:
    rows: Floats = (scores.astype(np.float32) + 128) / np.float32(256)
    samples = [(at + 1) * model.samples_per_score for at in range(len(rows))]
    found = Trigger(model, triggers).push(rows, samples)
    return [(model.labels.index(d.label), int(d.score * 65536), d.sample) for d in found]


@settings(max_examples=40)
@given(st.tuples(spec_values, spec_values, spec_values), st.integers(0, 1000))
def test_it_decides_as_the_python_trigger(
    firmware: Firmware, specs: tuple[TriggerSpec, ...], seed: int
) -> None:
    model = model_spec(LABELS)
    triggers = dict(zip(model.commands, specs, strict=True))
    trigger = CTrigger(firmware.library, trigger_values(model, triggers), len(LABELS))
    scores = posteriors(seed)
    found = [trigger.push(row, (at + 1) * model.samples_per_score) for at, row in enumerate(scores)]
    assert [row for row in found if row] == decisions(model, triggers, scores)


def test_a_threshold_becomes_the_least_sum_that_reaches_it() -> None:
    assert least_sum(0.5, 1) == 128
    assert least_sum(0.5, 10) == 1280
    assert least_sum(0.86, 10) == 2202  # 2201 steps are a mean of 0.8598
    assert least_sum(1.0, 3) == 3 * 255 + 1  # no int8 posterior says 1


def test_values_without_room_are_refused_with_the_label() -> None:
    model = model_spec(LABELS)
    spec = TriggerSpec(on=0.5, off=0.4, mean_samples=1, consecutive=1 << 16, refractory_samples=0)
    with pytest.raises(ExportError, match="trigger of 'yes': consecutive is 65536"):
        trigger_values(model, dict.fromkeys(model.commands, spec))
