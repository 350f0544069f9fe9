"""Recordings that are the same one: copied, cut out anew, louder, or through a codec.

A fingerprint that time shifts and gain leave alone finds candidates; the correlation of the
waveforms decides. Two takes of one word by one person never correlate so.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats, Pcm
from edgekws.train.measure import RATE

LONGEST_SAMPLES: Final = 80_000  # of a recording that is compared
ALIKE: Final = 0.98  # cosine of fingerprints from which on two recordings are compared
SAME: Final = 0.87
"""Correlation of two waveforms: at least 0.93 after MP3, Opus, Vorbis, an 8 kHz file, a shift or a
cut of a tenth; of 6,000 Arabic words the likest takes of one person have 0.81, copies 0.97."""
_NEIGHBOURS: Final = 4  # candidates of one recording; of many copies each has one of them
_BANDS: Final = slice(2, 26)  # mel bands from 100 to 3,000 Hz, which every codec keeps
_GROUPS: Final = 8
_FRAMES: Final = 512
_RATES: Final = slice(2, 50, 2)  # of the modulation spectrum: 0.4 to 9.6 Hz
_VOICE_HZ: Final = (200, 3_400)
_ROWS: Final = 2048  # of the matrix of all pairs at a time


def digest(pcm: Pcm) -> bytes:
    """Return what only recordings of the same samples share, zeros at either end aside."""
    sounding = np.flatnonzero(pcm)
    inner = pcm[sounding[0] : sounding[-1] + 1] if len(sounding) else pcm[:0]
    return hashlib.sha256(inner.astype("<i2").tobytes()).digest()


def fingerprint(mel: Floats) -> Floats:
    """Return the unit vector (192,) of how eight bands of mel energies (frames, 40) vary."""
    power = mel[:_FRAMES, _BANDS]
    amplitude = np.sqrt(power.reshape(len(power), _GROUPS, -1).sum(axis=2))
    modulation = np.abs(np.fft.rfft(amplitude, _FRAMES, axis=0))[_RATES].ravel()
    unit: Floats = (modulation / (np.linalg.norm(modulation) + 1e-12)).astype(np.float32)
    return unit


def near_duplicates(recordings: Sequence[Pcm], prints: Sequence[Floats]) -> list[tuple[int, int]]:
    """Return the pairs of recordings, first before second, that hold the same sound.

    `prints` are their fingerprints.
    """
    if len(recordings) < 2:
        return []
    return [
        (a, b)
        for a, b in sorted(_candidates(np.stack(prints)))
        if correlation(recordings[a], recordings[b]) >= SAME
    ]


def correlation(a: Pcm, b: Pcm) -> float:
    """Return the largest correlation of two recordings over all shifts, 0 to 1.

    Half whitened in the band of the voice: a hum or one strong vowel alone make nothing the same.
    """
    size = 1 << (min(len(a), LONGEST_SAMPLES) + min(len(b), LONGEST_SAMPLES)).bit_length()
    one, other = _spectrum(a, size), _spectrum(b, size)
    energy = float(np.sum(np.abs(one) ** 2) * np.sum(np.abs(other) ** 2))
    scale = np.sqrt(energy) * 2 / size
    return float(np.abs(np.fft.irfft(one * np.conj(other), size)).max() / scale) if scale else 0.0


def _spectrum(pcm: Pcm, size: int) -> NDArray[np.complex128]:
    """Return (size / 2 + 1,) bins within the voice's band, each by the root of its amplitude."""
    spectrum = np.fft.rfft(pcm[:LONGEST_SAMPLES].astype(np.float64), size)
    low, high = (round(hertz * size / RATE) for hertz in _VOICE_HZ)
    spectrum[:low], spectrum[high:] = 0.0, 0.0
    return np.asarray(spectrum / np.sqrt(np.abs(spectrum) + 1e-3))


def _candidates(prints: Floats) -> set[tuple[int, int]]:
    """Return pairs of similar fingerprints, of each recording the nearest few."""
    pairs: set[tuple[int, int]] = set()
    for first in range(0, len(prints), _ROWS):
        alike = prints[first : first + _ROWS] @ prints.T  # (rows, recordings)
        alike[np.arange(len(alike)), np.arange(first, first + len(alike))] = -1.0  # itself
        rows, others = np.nonzero(alike >= ALIKE)
        order = np.lexsort((-alike[rows, others], rows))
        rows, others = rows[order], others[order]
        near = np.arange(len(rows)) - np.searchsorted(rows, rows) < _NEIGHBOURS
        found = zip((rows[near] + first).tolist(), others[near].tolist(), strict=True)
        pairs |= {(min(pair), max(pair)) for pair in found}
    return pairs
