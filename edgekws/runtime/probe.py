"""What a fresh process spent until it could hear, and its memory after hearing a little."""

import time
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.errors import EdgekwsError
from edgekws.events import Block, Pcm
from edgekws.runtime.evaluate import blocks
from edgekws.runtime.wiring import Device
from edgekws.specs import Spec

HEARD_SECONDS: Final = 5
_STATUS: Final = Path("/proc/self/status")


class Probe(Spec, frozen=True):
    """CPU seconds from the start of the process to a checked detector, and peak memory."""

    load_seconds: float
    peak_rss_mb: float


def probe(device: Device) -> Probe:
    """Measure this process, which has only loaded the device so far."""
    spent = time.process_time()
    for block in step_blocks(device, babble(device, seconds=HEARD_SECONDS)):
        device.detector.push(block)
    return Probe(load_seconds=spent, peak_rss_mb=_peak_rss_mb())


def step_blocks(device: Device, pcm: Pcm) -> list[Block]:
    """Cut audio as a microphone gives it: a step of features at a time."""
    model = device.detector.model
    samples = model.step_frames * model.features.hop
    return list(blocks(pcm, sample_rate=model.features.sample_rate, samples=samples))


def babble(device: Device, *, seconds: int) -> Pcm:
    """Return something like speech, (n,) int16: voiced syllables and hiss by turns."""
    rate = device.detector.model.features.sample_rate
    at = np.arange(seconds * rate, dtype=np.float32) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * at)  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros_like(at)
    for harmonic in range(1, 20):
        voice += np.sin(harmonic * phase) / harmonic
    syllables = np.maximum(0.0, np.sin(2 * np.pi * 3.1 * at)) ** 2
    hiss = np.random.default_rng(0).standard_normal(len(at)) * (0.02 + 0.2 * (1 - syllables) ** 4)
    sound = 3000 * (voice * syllables + hiss)
    return np.asarray(sound.clip(-32768, 32767), np.int16)


def _peak_rss_mb() -> float:
    """Return this program's own peak; getrusage would count that of the one that started it."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise EdgekwsError(f"{_STATUS}: no VmHWM line, so peak memory is unknown on this system")
