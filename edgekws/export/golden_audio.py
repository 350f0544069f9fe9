"""Audio for golden vectors: commands that a net still hears, in nobody's voice.

A bundle is copied and published, so it holds no recording. Held-out commands are passed through a
noise vocoder (Shannon et al. 1995): seeded noise takes on the loudness of the recording in bands
over time. What was said stays, the voice and its pitch go.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Pcm
from edgekws.features.tables import hann, mel_filters
from edgekws.specs import SILENCE, FeatureSpec, ModelSpec
from edgekws.train.run_audio import Heldout

SECONDS: Final = 3
FRAME: Final = 512
HOP: Final = 128
BANDS: Final = 24
SEED: Final = 20
FAINT: Final = 1e-6  # added to band energies, so that nothing is divided by zero

Real = NDArray[np.float64]


def golden_audio(model: ModelSpec, heldout: Heldout) -> Pcm:
    """Return about three seconds: a command, background, another command; the same every time."""
    chosen = [heldout.pcm[index] for index in _choice(model, heldout)]
    together = np.concatenate(chosen)[: SECONDS * model.features.sample_rate]
    return vocode(together, sample_rate=model.features.sample_rate)


def vocode(pcm: Pcm, *, sample_rate: int, seed: int = SEED) -> Pcm:
    """Return (n,) int16 noise that is as loud as the recording in each band at each time."""
    padded = np.pad(pcm.astype(np.float64), FRAME)
    noise = np.random.default_rng(seed).standard_normal(len(padded))
    speech_spectra, noise_spectra = _spectra(padded), _spectra(noise)  # (frames, bins) complex
    bands = mel_filters(_bands(sample_rate))  # (bins, BANDS), triangles that add up to about 1
    wanted = np.square(np.abs(speech_spectra)) @ bands
    given = np.square(np.abs(noise_spectra)) @ bands
    gains = np.sqrt((wanted + FAINT) / (given + FAINT)) @ bands.T
    audio = _overlap_add(noise_spectra * gains, len(padded))[FRAME : FRAME + len(pcm)]
    return np.rint(np.clip(audio, -32768, 32767)).astype(np.int16)


def _choice(model: ModelSpec, heldout: Heldout) -> list[int]:
    """Return clips: the first of a command, of `_silence_` if any, and of another command."""
    firsts = {int(label): index for index, label in reversed(list(enumerate(heldout.labels)))}
    commands = [model.labels.index(label) for label in model.commands]
    held = [firsts[label] for label in commands if label in firsts]
    between = [firsts[model.labels.index(SILENCE)]] if _has_silence(model, firsts) else []
    return [*held[:1], *between, *held[1:2]] or [0]


def _has_silence(model: ModelSpec, firsts: dict[int, int]) -> bool:
    return SILENCE in model.labels and model.labels.index(SILENCE) in firsts


def _bands(sample_rate: int) -> FeatureSpec:
    return FeatureSpec(
        algorithm="mfcc-1",
        sample_rate=sample_rate,
        window=FRAME,
        hop=HOP,
        fft=FRAME,
        n_mels=BANDS,
        n_mfcc=BANDS,
        low_hz=0,
        high_hz=sample_rate // 2,
        log_floor_exponent=-5,
    )


def _spectra(audio: Real) -> NDArray[np.complex128]:
    frames = np.lib.stride_tricks.sliding_window_view(audio, FRAME)[::HOP]
    return np.fft.rfft(frames * hann(FRAME))


def _overlap_add(spectra: NDArray[np.complex128], length: int) -> Real:
    """Return the audio of windowed spectra; Hann squared at this hop adds up to 1.5."""
    audio = np.zeros(length)
    for index, frame in enumerate(np.fft.irfft(spectra, FRAME) * hann(FRAME) / 1.5):
        audio[index * HOP : index * HOP + FRAME] += frame
    return audio
