"""How long a detection takes at the latest, by arithmetic: what the trigger wants, and the step."""

from collections.abc import Mapping
from math import ceil

from edgekws.specs import ModelSpec, TriggerSpec


def longest_delay(model: ModelSpec, triggers: Mapping[str, TriggerSpec]) -> int:
    """Return the most samples from where a command's scores turn from 0 to 1 to its detection.

    That is the rows that its trigger wants, and what the last of them waits for the rest of its
    step. What the net needs to be sure of a word, the last window of features and a sound card's
    buffers come on top.
    """
    rows = max(_rows(model, triggers[label]) for label in model.commands)
    waiting = model.scores_per_step - 1
    return (rows + waiting) * model.samples_per_score


def _rows(model: ModelSpec, trigger: TriggerSpec) -> int:
    """Return how many rows of 1 after rows of 0 a detection takes."""
    averaged = max(1, trigger.mean_samples // model.samples_per_score)
    return ceil(trigger.on * averaged - 1e-6) + trigger.consecutive - 1
