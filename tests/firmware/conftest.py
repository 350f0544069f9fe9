"""Fixtures of the firmware's tests: the tiny model's firmware, and the C of the link."""

import ctypes

import pytest

from tests.board_host import Host
from tests.c_bridge import CBoard, c_library
from tests.kws_firmware import Firmware, build_firmware

__all__ = ["c_library", "firmware"]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_firmware(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def host(c_library: ctypes.CDLL) -> Host:
    """Return a host and its board, of the C library, at time 0 of their session."""
    host = Host(CBoard(c_library))
    host.greet()
    return host
