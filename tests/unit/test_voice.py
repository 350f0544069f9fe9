"""The voice detector hears speech, and neither tones nor noise."""

from typing import Final

import numpy as np
import pytest

from edgekws.audio.recent import Recent
from edgekws.errors import ConfigError
from edgekws.events import Block, Detection, Pcm
from edgekws.runtime.tables import VoiceTable
from edgekws.runtime.voice import RATE, Voice, without_voice
from tests.bundles import noise, tone
from tests.speech import open_speech

SPEECH: Final = open_speech().sentences(2 * RATE)
HEARD: Final = (Detection(1, "yes", 0.9, 100, 0.1),)


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice(VoiceTable(), sample_rate=RATE)


def recent(*parts: Pcm) -> Recent:
    held = Recent()
    held.push(Block(np.concatenate(parts), 0, RATE))
    return held


def test_speech_is_heard(voice: Voice) -> None:
    assert voice.is_heard(recent(SPEECH))


@pytest.mark.parametrize(
    "sound",
    [
        noise(seconds=2),
        noise(seconds=2, level=5_000),
        np.concatenate((noise(seconds=1), tone("yes", seconds=0.5))),
    ],
)
def test_noise_and_tones_are_no_voice(voice: Voice, sound: Pcm) -> None:
    assert not voice.is_heard(recent(sound))


def test_speech_that_is_over_for_longer_is_not_heard_now(voice: Voice) -> None:
    assert not voice.is_heard(recent(SPEECH[:RATE], noise(seconds=1.6)))


def test_it_begins_afresh_each_time(voice: Voice) -> None:
    sound = Block(SPEECH, 0, RATE)
    assert voice.sureness(sound) == voice.sureness(sound)
    assert voice.sureness(None) == 0.0


def test_commands_that_nobody_said_are_held(voice: Voice) -> None:
    (ruling,) = without_voice(voice, HEARD, recent(noise(seconds=2)))
    assert (ruling.detection, ruling.verdict, ruling.reason) == (HEARD[0], "hold", "nobody spoke")
    assert without_voice(voice, HEARD, recent(SPEECH)) == []
    assert without_voice(voice, (), recent(noise(seconds=2))) == []
    assert without_voice(None, HEARD, recent(noise(seconds=2))) == []


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[voice\] hears 16000 Hz, and the bundle has 8000 Hz"):
        Voice(VoiceTable(), sample_rate=8_000)
