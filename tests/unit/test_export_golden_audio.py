"""Golden audio: it excites the model like the commands it was made from, and is no recording."""

import numpy as np

from edgekws.events import Pcm
from edgekws.export.golden_audio import SECONDS, golden_audio, vocode
from edgekws.train.run import model_spec
from edgekws.train.run_audio import Heldout
from tests.runs import CLIP, RATE, tones, trained
from tests.speech import pink_noise


def syllables(samples: int) -> Pcm:
    """Return noise in bursts, four a second."""
    rhythm = np.maximum(0, np.sin(2 * np.pi * 4 * np.arange(samples) / RATE))
    return (pink_noise(samples, rms=4000, seed=3) * rhythm).astype(np.int16)


def loudness(pcm: Pcm) -> np.ndarray:
    frames = pcm[: len(pcm) // 400 * 400].reshape(-1, 400).astype(np.float64)
    return np.sqrt((frames**2).mean(axis=1))


def test_vocoded_audio_keeps_length_type_and_rhythm() -> None:
    pcm = syllables(2 * RATE)
    noise = vocode(pcm, sample_rate=RATE)
    assert noise.dtype == np.int16
    assert len(noise) == len(pcm)
    assert np.corrcoef(loudness(pcm), loudness(noise))[0, 1] > 0.85
    assert 0.7 < loudness(noise).mean() / loudness(pcm).mean() < 1.3


def test_vocoded_audio_is_not_the_recording() -> None:
    pcm = syllables(2 * RATE)
    shared = np.correlate(pcm / pcm.std(), vocode(pcm, sample_rate=RATE) / pcm.std()) / len(pcm)
    assert abs(float(shared[0])) < 0.1


def test_silence_stays_silent_and_full_scale_does_not_wrap() -> None:
    assert np.abs(vocode(np.zeros(RATE, np.int16), sample_rate=RATE)).max() <= 1
    square = np.where(np.arange(RATE) % 100 < 50, 32767, -32768).astype(np.int16)
    assert np.abs(np.diff(vocode(square, sample_rate=RATE).astype(int))).max() < 65_000


def test_golden_audio_is_two_commands_around_background_and_reproducible() -> None:
    made, model = trained(), model_spec(trained().run)
    heldout = Heldout(made.heldout, made.truths)
    pcm = golden_audio(model, heldout)
    assert len(pcm) == 3 * CLIP
    level = [loudness(part).mean() for part in np.split(pcm, 3)]
    assert min(level[0], level[2]) > 3 * level[1]
    np.testing.assert_array_equal(pcm, golden_audio(model, heldout))


def test_golden_audio_of_long_clips_is_cut_and_of_few_labels_still_there() -> None:
    model = model_spec(trained().run)
    clips, _ = tones(2, seed=1)
    long = np.tile(clips, 6)  # (2, 26,880)
    both = np.array([2, 3], np.int64)
    assert len(golden_audio(model, Heldout(long, both))) == min(2 * long.shape[1], SECONDS * RATE)
    none = np.array([1, 1], np.int64)
    assert len(golden_audio(model, Heldout(long, none))) == long.shape[1]
