"""Targets by name, and what a wrong name says."""

import pytest

from edgekws.errors import UsageError
from edgekws.export.targets import TARGETS, find_target


@pytest.mark.parametrize("name", ["rpi", "rpi-zero2", "jetson", "x86"])
def test_targets_are_found_by_name(name: str) -> None:
    target = find_target(name)
    assert target.name == name
    assert target.models[0] == ("onnx", "int8")


@pytest.mark.parametrize("name", ["", "RPI", "esp32", "rpi/../x86"])
def test_an_unknown_target_lists_those_there_are(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_target(name)
    assert all(target.name in str(caught.value) for target in TARGETS)
