"""The longest delay of trigger and step is what a trigger takes that hears a sure command."""

import itertools

import numpy as np
import pytest

from edgekws.runtime.delay import longest_delay
from edgekws.runtime.trigger import Trigger
from edgekws.specs import TriggerSpec
from tests.bundles import model_spec
from tests.fakes import trigger_spec

ROWS = (1, 2, 4)
TRIGGERS = [
    trigger_spec(on=on, off=on, mean_samples=mean * 640, consecutive=consecutive)
    for on, mean, consecutive in itertools.product((0.25, 0.6, 1.0), (1, 3, 6), (1, 2))
]


def measured(rows: int, trigger: TriggerSpec) -> int:
    """Return the most samples from where a score turns to 1 to the end of the step that tells."""
    model = model_spec(rows=rows)
    triggers = dict.fromkeys(model.commands, trigger)
    apart, waits = model.samples_per_score, []
    for sure in range(20, 20 + rows):  # the first row that is sure: each place in a step
        scores = np.zeros((40, len(model.labels)), np.float32)
        scores[sure:, model.labels.index("yes")] = 1
        heard = Trigger(model, triggers)
        for start in range(0, len(scores), rows):
            end = (start + rows) * apart
            if heard.push(scores[start : start + rows], [end] * rows):
                waits.append(end - sure * apart)
                break
    return max(waits)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_it_is_what_the_worst_place_in_a_step_takes(rows: int, trigger: TriggerSpec) -> None:
    model = model_spec(rows=rows)
    assert longest_delay(model, dict.fromkeys(model.commands, trigger)) == measured(rows, trigger)


def test_the_slowest_command_counts() -> None:
    model = model_spec()
    quick = trigger_spec(mean_samples=640, consecutive=1)
    slow = trigger_spec(mean_samples=640, consecutive=5)
    triggers = dict.fromkeys(model.commands, quick) | {"no": slow}
    assert longest_delay(model, triggers) == longest_delay(
        model, dict.fromkeys(model.commands, slow)
    )
