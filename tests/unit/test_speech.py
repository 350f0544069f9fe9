"""The speech that tests are made of: real where there is some, synthetic everywhere."""

from pathlib import Path

import numpy as np
import pytest

from tests.speech import (
    Clip,
    RealSpeech,
    Speech,
    SyntheticSpeech,
    data_folder,
    open_speech,
    write_folder,
)

SECOND = 16_000


def sources() -> list[Speech]:
    folder = data_folder()
    return [SyntheticSpeech()] + ([] if folder is None else [RealSpeech(folder)])


@pytest.mark.parametrize("speech", sources(), ids=lambda s: type(s).__name__)
def test_speech_gives_words_of_several_speakers_sentences_and_noise(speech: Speech) -> None:
    words = speech.words(["yes", "stop"], clips=6)
    assert list(words) == ["yes", "stop"]
    for clips in words.values():
        assert len(clips) == 6
        assert len({clip.speaker for clip in clips}) == 6
        assert all(clip.pcm.shape == (SECOND,) and clip.pcm.dtype == np.int16 for clip in clips)
        assert all(np.abs(clip.pcm).max() > 100 for clip in clips)
    for pcm in (speech.sentences(5 * SECOND), speech.noise(5 * SECOND)):
        assert pcm.shape == (5 * SECOND,)
        assert pcm.dtype == np.int16
        assert pcm.std() > 50


def test_a_folder_from_the_environment_decides_where_speech_comes_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEKWS_TEST_DATA", str(tmp_path))
    assert not open_speech().real
    (tmp_path / "speech_commands").mkdir()
    (tmp_path / "speech_commands" / "index.csv").touch()
    assert open_speech().real


def test_a_written_folder_names_speakers(tmp_path: Path) -> None:
    clip = Clip("anna", np.ones(SECOND, np.int16))
    write_folder(tmp_path, {"yes": [clip, clip]})
    assert sorted(p.name for p in (tmp_path / "yes").iterdir()) == [
        "anna_nohash_0.wav",
        "anna_nohash_1.wav",
    ]
