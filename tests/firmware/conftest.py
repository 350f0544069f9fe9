"""Fixtures of the firmware's tests: the tiny model's firmware, and the C of the link."""

import pytest

from tests.c_bridge import c_library
from tests.kws_firmware import Firmware, build_firmware

__all__ = ["c_library", "firmware"]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_firmware(tmp_path_factory.mktemp("firmware"))
