"""Fixtures that every test may use, and one reproducible setting for hypothesis."""

import pytest
from hypothesis import settings

from tests.speech import Speech, SyntheticSpeech, open_speech

settings.register_profile("edgekws", deadline=None, derandomize=True)
settings.load_profile("edgekws")


@pytest.fixture(scope="session")
def speech() -> Speech:
    """Real recordings where the data folder is found, else synthesized speech."""
    return open_speech()


@pytest.fixture(scope="session")
def synthetic_speech() -> SyntheticSpeech:
    """Synthesized speech, on any machine."""
    return SyntheticSpeech()
