"""Fixtures that every test may use, and one reproducible setting for hypothesis."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.once import once_folder
from tests.speech import Speech, SyntheticSpeech, open_speech

settings.register_profile("edgekws", deadline=None, derandomize=True)
settings.load_profile("edgekws")


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main() -> Iterator[None]:
    """Keep what is made once for the workers of pytest-xdist, which begin and end within."""
    with once_folder():
        return (yield)


@pytest.fixture(scope="session")
def speech() -> Speech:
    """Real recordings where the data folder is found, else synthesized speech."""
    return open_speech()


@pytest.fixture(scope="session")
def synthetic_speech() -> SyntheticSpeech:
    """Synthesized speech, on any machine."""
    return SyntheticSpeech()
