"""What one recording is like: how long, how loud, clipped, silent, and whether it can be speech."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats, Pcm
from edgekws.features.tables import build_tables
from edgekws.specs import MFCC_40

RATE: Final = MFCC_40.sample_rate
LONGEST_SECONDS: Final = 30.0  # of a recording whose spectrum is looked at
SILENT_DB: Final = -60.0  # loudest 30 ms, below full scale
CLIPPED_SHARE: Final = 0.001  # of the samples; speech that is only loud stays below
STEADY_DB: Final = 2.5
"""Change of the spectrum's shape: rain, rooms, engines and tones stay below; 99 % of words are
above 3.2 (4,000 clips of Speech Commands) or 5.6 (Arabic and synthesized words)."""
OFFSET: Final = 0.01  # of full scale; 99 of 100 clips of Speech Commands are below a tenth of it
FULL: Final = 0.99  # of full scale: codecs and resamplers round the edges of what was cut off
_FLAT: Final = 3  # samples in a row at one height: no microphone gives that
_LOUD: Final = 0.25  # of full scale; lower peaks are no clipping
_SPAN_DB: Final = 30.0  # what is further below the loudest frame is not heard as sound
_FLOOR_DB: Final = -100.0
_SMOOTH: Final = 5  # frames


@dataclass(frozen=True, slots=True)
class Measures:
    """`start` and `end` are the samples between which there is sound; dB are below full scale.

    `offset` and `clipped` are shares of full scale and of the samples, `change_db` is how much the
    shape of the spectrum varies over the recording.
    """

    samples: int
    start: int
    end: int
    loudest_db: float
    offset: float
    clipped: float
    change_db: float

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it is loud enough to be a spoken word."""
        return self.loudest_db < SILENT_DB

    @property
    def is_clipped(self) -> bool:
        """Whether it was recorded too loud."""
        return self.clipped > CLIPPED_SHARE

    @property
    def is_offset(self) -> bool:
        """Whether it swings about something else than zero."""
        return abs(self.offset) > OFFSET

    @property
    def is_steady(self) -> bool:
        """Whether it sounds the same throughout, as noise and tones do and speech does not."""
        return not self.is_silent and self.change_db < STEADY_DB


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Frames of 30 ms every 10 ms, whatever offset the audio has: at least one.

    `mel` is (frames, 40) energies, `levels_db` (frames,) the RMS in dB of full scale.
    """

    mel: Floats
    levels_db: Floats


def spectrum_of(pcm: Pcm) -> Spectrum:
    """Return the spectrum of (n,) int16 at 16 kHz, at most of the first `LONGEST_SECONDS`."""
    tables = build_tables(MFCC_40)
    frames = _frames(pcm[: int(LONGEST_SECONDS * RATE)].astype(np.float32))
    windowed = (frames - frames.mean(axis=1, keepdims=True)) * tables.window
    bins = np.fft.rfft(windowed, MFCC_40.fft)
    power = (bins.real**2 + bins.imag**2).astype(np.float32)  # (frames, 257)
    scale = 2.0 / MFCC_40.fft / float(np.sum((tables.window * 32768.0) ** 2))  # Parseval
    mean_square = power.sum(axis=1) * np.float32(scale) + np.float32(10.0 ** (_FLOOR_DB / 10.0))
    return Spectrum(power @ tables.mel, 10.0 * np.log10(mean_square))


def measure(pcm: Pcm, spectrum: Spectrum) -> Measures:
    """Measure (n,) int16 at 16 kHz with its spectrum at hand."""
    start, end = sound_span(spectrum.levels_db)
    return Measures(
        samples=len(pcm),
        start=start,
        end=min(len(pcm), end),
        loudest_db=float(spectrum.levels_db.max()),
        offset=float(pcm.mean() / 32768.0),
        clipped=clipped_share(pcm),
        change_db=spectral_change(spectrum.mel),
    )


def sound_span(levels_db: Floats) -> tuple[int, int]:
    """Return the first and the last sample of what stands out of the quiet around it."""
    peak, quiet = float(levels_db.max()), float(np.percentile(levels_db, 10))
    heard = np.flatnonzero(levels_db >= max(peak - _SPAN_DB, quiet + 0.3 * (peak - quiet)))
    first, last = int(heard[0]), int(heard[-1])
    return first * MFCC_40.hop, last * MFCC_40.hop + MFCC_40.window


def clipped_share(pcm: Pcm) -> float:
    """Return the share of samples at full scale, or in flat runs at the recording's own peak."""
    height = np.abs(pcm.astype(np.int32))
    peak = int(height.max())
    if peak < _LOUD * 32768:
        return 0.0
    flat = height >= int(0.999 * peak)
    runs = np.convolve(flat, np.ones(_FLAT), "same") >= _FLAT - 0.5
    return float(np.mean((height >= FULL * 32768) | runs))


def spectral_change(power: Floats) -> float:
    """Return how far the bands move against each other in time, mean over bands in dB.

    Energies (frames, bands) are smoothed over 50 ms: the randomness of noise is not change.
    """
    live = power[power.sum(axis=1) > 1e-9]  # digital zeros around a word are no sound
    if len(live) < 2 * _SMOOTH:
        return 0.0
    sums = np.cumsum(live, axis=0, dtype=np.float64)
    smooth: NDArray[np.float64] = 10.0 * np.log10(sums[_SMOOTH:] - sums[:-_SMOOTH] + 1e-10)
    shape = smooth - smooth.mean(axis=1, keepdims=True)
    return float(shape.std(axis=0).mean())


def _frames(audio: Floats) -> Floats:
    """Return overlapping frames (count, window), of a short clip one that ends in zeros."""
    padded = np.pad(audio, (0, max(0, MFCC_40.window - len(audio))))
    windows: Floats = np.lib.stride_tricks.sliding_window_view(padded, MFCC_40.window)
    return windows[:: MFCC_40.hop]
