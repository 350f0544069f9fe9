"""What happens to audio before it is learned from: speed, room, place, gain, noise, and masks."""

import math

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from edgekws.events import Floats, Pcm
from edgekws.train.recipe_data import AugmentRecipe

FULL_SCALE = 32768.0
QUIET = 1e-9  # power below which a clip counts as digital silence


def place(pcm: Pcm, length: int, shift: int) -> Floats:
    """Return `length` samples of a clip in [-1, 1], moved later by `shift`, zeros outside it."""
    out = np.zeros(length, np.float32)
    source, target = max(0, -shift), max(0, shift)
    count = min(len(pcm) - source, length - target)
    if count > 0:
        out[target : target + count] = pcm[source : source + count]
    return out / FULL_SCALE


def focus(pcm: Pcm, length: int) -> int:
    """Return the start of the `length` samples with the most energy (0 for shorter clips)."""
    if len(pcm) <= length:
        return 0
    energy = np.concatenate(([0.0], np.cumsum(pcm.astype(np.float64) ** 2)))
    sums = energy[length:] - energy[:-length]
    best = np.flatnonzero(sums >= sums.max() * 0.999)  # a plateau: take its middle
    return int(best[len(best) // 2])


def centre(pcm: Pcm, length: int) -> Pcm:
    """Cut the most energetic `length` samples, or pad evenly with zeros to that length."""
    start = focus(pcm, length)
    cut = pcm[start : start + length]
    before = (length - len(cut)) // 2
    return np.pad(cut, (before, length - len(cut) - before))


def change_speed(pcm: Pcm, factor: float) -> Pcm:
    """Resample so that tempo and pitch rise by `factor`; linear interpolation is enough here."""
    return np.asarray(_played(pcm, factor, int(len(pcm) / factor)), np.int16)


def reverberate(audio: Floats, seconds: float, rng: Generator, *, sample_rate: int) -> Floats:
    """Convolve with a room: a direct path and a tail of noise that decays 60 dB in `seconds`."""
    count = int(seconds * sample_rate)
    tail = rng.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    tail *= rng.uniform(0.1, 0.6) / np.sqrt(np.sum(tail**2) + QUIET)
    tail[0] = 1.0
    return convolve(audio, tail.astype(np.float32))


def convolve(audio: Floats, response: Floats) -> Floats:
    """Return audio as it is heard through an impulse response, of the same length."""
    size = 1 << (len(audio) + len(response) - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)
    return wet[: len(audio)].astype(np.float32)


def noise_segment(
    noise: list[Pcm], length: int, rng: Generator, *, speed: tuple[float, float] = (1.0, 1.0)
) -> Floats:
    """Return a random `length` samples of a random recording in [-1, 1], repeated if short.

    It is played at a speed of that range, so that pitch and tempo change with it.
    """
    if speed != (1.0, 1.0):
        factor = rng.uniform(*speed)
        longer = noise_segment(noise, math.ceil(length * factor) + 1, rng)
        return np.asarray(_played(longer, factor, length), np.float32)
    pcm = noise[rng.integers(len(noise))]
    if len(pcm) < length:
        pcm = np.tile(pcm, -(-length // max(1, len(pcm))))
    start = rng.integers(0, len(pcm) - length + 1)
    return pcm[start : start + length].astype(np.float32) / FULL_SCALE


def mix(audio: Floats, noise: Floats, snr_db: float, *, speech_power: float) -> Floats:
    """Add noise so that the speech stands `snr_db` above it."""
    noise_power = float(np.mean(noise**2)) + QUIET
    gain = np.sqrt((speech_power + QUIET) / noise_power) * 10.0 ** (-snr_db / 20.0)
    return audio + noise * np.float32(min(gain, 100.0))


def to_scale(audio: Floats) -> Floats:
    """Clip to what a microphone gives and round to the int16 scale, kept as float32."""
    return np.asarray(np.clip(np.rint(audio * FULL_SCALE), -32768.0, 32767.0), np.float32)


def mask_spectrum(log_mel: Tensor, recipe: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019) without warping, on (batch, frames, bands) log energies."""
    batch, frames, bands = log_mel.shape
    fill = log_mel.mean(dim=(1, 2), keepdim=True)
    keep = torch.ones(batch, frames, bands, dtype=torch.bool)
    for _ in range(recipe.frequency_masks):
        keep &= ~_stripe(batch, bands, recipe.frequency_mask_bands, generator)[:, None, :]
    for _ in range(recipe.time_masks):
        keep &= ~_stripe(batch, frames, recipe.time_mask_frames, generator)[:, :, None]
    return torch.where(keep, log_mel, fill)


def _played(samples: Pcm | Floats, factor: float, count: int) -> NDArray[np.float64]:
    """Return (count,) samples of a recording played `factor` times as fast."""
    positions = np.arange(count) * factor
    return np.asarray(np.interp(positions, np.arange(len(samples)), samples), np.float64)


def _stripe(batch: int, size: int, widest: int, generator: torch.Generator) -> Tensor:
    """Return (batch, size) bool with one run of True of random place and width in each row."""
    width = torch.randint(0, widest + 1, (batch, 1), generator=generator)
    start = (torch.rand((batch, 1), generator=generator) * (size - width + 1)).long()
    index = torch.arange(size)[None, :]
    return (index >= start) & (index < start + width)
