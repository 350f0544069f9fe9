"""Fixtures of the end-to-end tests."""

from tests.small_runs import adapted_run, adapting, base_run, exported, mixed_data, training_data
from tests.virtual_microphone import virtual_microphone

__all__ = [
    "adapted_run",
    "adapting",
    "base_run",
    "exported",
    "mixed_data",
    "training_data",
    "virtual_microphone",
]
