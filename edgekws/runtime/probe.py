"""What a fresh process spent until it could hear, and its memory after hearing a little."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.errors import EdgekwsError
from edgekws.events import Block, Floats, Pcm
from edgekws.runtime.evaluate import blocks
from edgekws.runtime.wiring import Device
from edgekws.specs import Spec

HEARD_SECONDS: Final = 1  # a longer sound only weighs more itself
_STATUS: Final = Path("/proc/self/status")


class Probe(Spec, frozen=True):
    """CPU seconds from the start of the process to a checked detector, and peak memory."""

    load_seconds: float
    peak_rss_mb: float


def probe(device: Device, *, load_seconds: float) -> Probe:
    """Let this process, which has only loaded the device so far, hear the golden audio again."""
    rate = device.detector.model.features.sample_rate
    heard = np.resize(device.bundle.golden().pcm, HEARD_SECONDS * rate)  # speech that costs nothing
    for block in _cut(device, heard):
        device.detector.push(block)
    return Probe(load_seconds=load_seconds, peak_rss_mb=_peak_rss_mb())


def step_blocks(device: Device, *, seconds: int) -> list[Block]:
    """Return synthetic speech as a microphone gives it: a step of features at a time."""
    return _cut(device, babble(device.detector.model.features.sample_rate, seconds))


@lru_cache(maxsize=1)
def babble(sample_rate: int, seconds: int) -> Pcm:
    """Return something like speech, (n,) int16: voiced syllables and hiss by turns."""
    at = np.arange(seconds * sample_rate, dtype=np.float32) / sample_rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * at)  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    voice = np.zeros_like(at)
    for harmonic in range(1, 20):
        voice += np.sin(harmonic * phase) / harmonic
    syllables = np.maximum(0.0, np.sin(2 * np.pi * 3.1 * at)) ** 2
    hiss = _noise(len(at)) * (0.02 + 0.2 * (1 - syllables) ** 4)
    pcm = np.asarray((3000 * (voice * syllables + hiss)).clip(-32768, 32767), np.int16)
    pcm.setflags(write=False)
    return pcm


def _noise(samples: int) -> Floats:
    """Return (samples,) noise of variance 1 by a hash: numpy.random would weigh 4 MB."""
    x = np.arange(samples, dtype=np.uint32) * np.uint32(2654435761)
    for _ in range(2):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45D9F3B)
    return (x.astype(np.float32) / np.float32(2**31) - 1) * np.float32(3**0.5)


def _cut(device: Device, pcm: Pcm) -> list[Block]:
    model = device.detector.model
    samples = model.step_frames * model.features.hop
    return list(blocks(pcm, sample_rate=model.features.sample_rate, samples=samples))


def _peak_rss_mb() -> float:
    """Return this program's own peak; getrusage would count that of the one that started it."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise EdgekwsError(f"{_STATUS}: no VmHWM line, so peak memory is unknown on this system")
