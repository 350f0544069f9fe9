"""What bundles cost here, side by side: CPU time by stage, time to load, memory.

Rounds go by turns, so that what else the machine does hits all alike; figures are medians.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np

from edgekws.runtime.delay import longest_delay
from edgekws.runtime.fresh import probe_fresh
from edgekws.runtime.probe import Probe, step_blocks
from edgekws.runtime.steps import steps_for
from edgekws.runtime.trigger import Trigger
from edgekws.runtime.wiring import Device
from edgekws.specs import Spec

AUDIO_SECONDS: Final = 40  # that each round hears
ROUNDS: Final = 5
PROBES: Final = 3  # fresh processes for each device


class StepTime(Spec, frozen=True):
    """CPU microseconds per step."""

    p50: float
    p99: float


class BenchReport(Spec, frozen=True):
    """What `edgekws bench` prints for one model file; times are CPU times, of all threads.

    `ratio` is of the CPU time to that of the first one measured in the same run; `load_seconds` is
    from the start of a process to a detector that passed its self-check; `delay_milliseconds` is
    what trigger and step take at the latest, by arithmetic.
    """

    bundle: str
    path: str
    model: str
    cpu_seconds_per_second: float
    ratio: float
    step_milliseconds: float
    delay_milliseconds: float
    features_us: StepTime
    engine_us: StepTime
    trigger_us: StepTime
    load_seconds: float
    peak_rss_mb: float
    parameters: int
    macs_per_second: int
    model_bytes: int
    audio_seconds: float
    rounds: int


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Times of one device: seconds of each round as a whole, nanoseconds of each step by stage."""

    whole: list[float] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    engine: list[int] = field(default_factory=list)
    trigger: list[int] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)


def bench(devices: Sequence[Device]) -> list[BenchReport]:
    """Measure devices over synthetic speech; loading and memory in fresh processes."""
    runs = [(device, _Clocks()) for device in devices]
    for device, _ in runs:
        hear(device, seconds=AUDIO_SECONDS)  # a warm-up
    for _ in range(ROUNDS):
        for device, clocks in runs:
            clocks.whole.append(hear(device, seconds=AUDIO_SECONDS))
        for device, clocks in runs:
            _time_stages(device, clocks)
    for _ in range(PROBES):
        for device, clocks in runs:
            clocks.probes.append(probe_fresh(device.bundle.path, device.model_file.key))
    return [_report(device, clocks, first=runs[0][1]) for device, clocks in runs]


def hear(device: Device, *, seconds: int) -> float:
    """Return the CPU seconds, of all threads, that the whole detector spends on so much audio."""
    device.detector.reset()
    blocks = step_blocks(device, seconds=seconds)
    begin = time.process_time()
    for block in blocks:
        device.detector.push(block)
    return time.process_time() - begin


def _time_stages(device: Device, clocks: _Clocks) -> None:
    """Time each stage of each step from a fresh start."""
    model = device.detector.model
    steps = steps_for(model, device.model_file.graph)
    trigger = Trigger(model, device.bundle.manifest.triggers)
    device.detector.reset()
    for block in step_blocks(device, seconds=AUDIO_SECONDS):
        begin = time.process_time_ns()
        whole = list(steps.push(block.pcm))
        clocks.features.append(time.process_time_ns() - begin)
        for step in whole:
            begin = time.process_time_ns()
            scores = device.engine.step(step)
            heard = time.process_time_ns()
            trigger.push(scores, [block.end] * len(scores))
            clocks.engine.append(heard - begin)
            clocks.trigger.append(time.process_time_ns() - heard)


def _report(device: Device, clocks: _Clocks, *, first: _Clocks) -> BenchReport:
    manifest, model = device.bundle.manifest, device.detector.model
    milliseconds = 1000 / model.features.sample_rate
    return BenchReport(
        bundle=f"{manifest.name} {manifest.version}",
        path=str(device.bundle.path),
        model=device.model_file.key,
        cpu_seconds_per_second=median(clocks.whole) / AUDIO_SECONDS,
        ratio=median(a / b for a, b in zip(clocks.whole, first.whole, strict=True)),
        step_milliseconds=milliseconds * model.step_frames * model.features.hop,
        delay_milliseconds=milliseconds * longest_delay(model, manifest.triggers),
        features_us=_step_time(clocks.features),
        engine_us=_step_time(clocks.engine),
        trigger_us=_step_time(clocks.trigger),
        load_seconds=median(probe.load_seconds for probe in clocks.probes),
        peak_rss_mb=median(probe.peak_rss_mb for probe in clocks.probes),
        parameters=model.parameters,
        macs_per_second=model.macs_per_second,
        model_bytes=sum(entry.size for entry in device.model_file.files()),
        audio_seconds=AUDIO_SECONDS,
        rounds=ROUNDS,
    )


def _step_time(nanoseconds: list[int]) -> StepTime:
    p50, p99 = np.percentile(nanoseconds, (50, 99)) / 1000
    return StepTime(p50=float(p50), p99=float(p99))
