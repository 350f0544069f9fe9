"""The firmware of the tiny model, written and compiled once."""

import pytest

from tests.kws_firmware import Firmware, build_firmware


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_firmware(tmp_path_factory.mktemp("firmware"))
