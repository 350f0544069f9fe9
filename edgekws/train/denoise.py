"""Less of the steady noise in a recording: a spectral gate in the manner of Boll 1979."""

from typing import Final

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features.tables import hann

WINDOW: Final = 512
HOP: Final = 128
QUIET: Final = 0.15  # share of the frames that are taken to be noise alone, bin by bin
EXCESS: Final = 2.0  # times the mean power of the noise is taken away


def denoise(pcm: Pcm, depth_db: float) -> Pcm:
    """Return (n,) int16 in which what is as loud as the quiet parts is lowered by `depth_db`."""
    window = np.sqrt(hann(WINDOW)).astype(np.float32)
    padded = np.pad(pcm.astype(np.float32), (WINDOW, 2 * WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    spectrum = np.fft.rfft(frames)  # (frames, WINDOW / 2 + 1)
    power = np.abs(spectrum) ** 2
    # The power of noise in a bin is exponentially distributed: its mean is far above its quiet.
    noise = np.quantile(_live(power), QUIET, axis=0) / -np.log1p(-QUIET)
    floor = 10.0 ** (-depth_db / 20.0)
    gains = np.maximum(floor, 1.0 - EXCESS * noise / (power + 1e-3))
    cleaned = np.fft.irfft(spectrum * _smooth(gains.astype(np.float32)), WINDOW) * window
    out = np.zeros(len(padded))
    for number, frame in enumerate(cleaned):
        out[number * HOP : number * HOP + WINDOW] += frame
    scale = np.float64(HOP * 2 / WINDOW)  # the squared windows add up to WINDOW / HOP / 2
    whole = out[WINDOW : WINDOW + len(pcm)] * scale
    return np.clip(np.rint(whole), -32768, 32767).astype(np.int16)


def _live(power: Floats) -> Floats:
    """Return the frames that are no digital silence, of which there is at least one."""
    live: Floats = power[power.sum(axis=1) > 0]
    return live if len(live) else power[:1]


def _smooth(gains: Floats) -> Floats:
    """Average over three frames and three bins, against tones that flicker."""
    wide = np.pad(gains, 1, mode="edge")
    parts = [wide[i : i + len(gains), j : j + gains.shape[1]] for i in range(3) for j in range(3)]
    return np.asarray(sum(parts) / np.float32(9), np.float32)
