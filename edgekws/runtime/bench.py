"""What a bundle costs here: CPU time by stage, time to load, memory."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from edgekws.errors import EdgekwsError
from edgekws.events import Pcm
from edgekws.runtime.probe import Probe, babble, step_blocks
from edgekws.runtime.steps import StepStream
from edgekws.runtime.trigger import Trigger
from edgekws.runtime.wiring import Device
from edgekws.specs import Spec

AUDIO_SECONDS: Final = 40
PROBE_TIMEOUT_SECONDS: Final = 120


class StepTime(Spec, frozen=True):
    """CPU microseconds per step."""

    p50: float
    p99: float


class BenchReport(Spec, frozen=True):
    """What `edgekws bench` prints; times are CPU times of one thread."""

    bundle: str
    model: str
    cpu_seconds_per_second: float
    step_milliseconds: float
    features_us: StepTime
    engine_us: StepTime
    trigger_us: StepTime
    load_seconds: float
    peak_rss_mb: float
    parameters: int
    macs_per_second: int
    model_bytes: int
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class _Stages:
    features: list[int]
    engine: list[int]
    trigger: list[int]


def bench(device: Device, probe: Probe) -> BenchReport:
    """Measure a device over synthetic speech; the figures of a fresh process are given."""
    manifest, rate = device.bundle.manifest, device.bundle.manifest.model.features.sample_rate
    pcm = babble(device, seconds=AUDIO_SECONDS)
    stages = _time_stages(device, pcm)
    return BenchReport(
        bundle=f"{manifest.name} {manifest.version}",
        model=device.model_file.key,
        cpu_seconds_per_second=_time_whole(device, pcm) / (len(pcm) / rate),
        step_milliseconds=1000 * _step_samples(device) / rate,
        features_us=_step_time(stages.features),
        engine_us=_step_time(stages.engine),
        trigger_us=_step_time(stages.trigger),
        load_seconds=probe.load_seconds,
        peak_rss_mb=probe.peak_rss_mb,
        parameters=manifest.model.parameters,
        macs_per_second=manifest.model.macs_per_second,
        model_bytes=device.model_file.file.size,
        audio_seconds=len(pcm) / rate,
    )


def probe_fresh(bundle: Path) -> Probe:
    """Run `probe` by the command line in a fresh process."""
    argv = [sys.executable, "-m", "edgekws", "bench", "--probe", "--bundle", str(bundle)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=PROBE_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise EdgekwsError(f"bench: a fresh process could not load {bundle}: {error}") from error
    return msgspec.convert(json.loads(done.stdout), Probe)


def _time_whole(device: Device, pcm: Pcm) -> float:
    """Return the CPU seconds that the whole detector spends on the audio, after a warm-up."""
    device.detector.reset()
    for block in step_blocks(device, pcm[: len(pcm) // 8]):
        device.detector.push(block)
    device.detector.reset()
    start = time.thread_time()
    for block in step_blocks(device, pcm):
        device.detector.push(block)
    return time.thread_time() - start


def _time_stages(device: Device, pcm: Pcm) -> _Stages:
    """Time each stage of each step, in CPU nanoseconds."""
    model, stages = device.detector.model, _Stages([], [], [])
    steps, trigger = StepStream(model), Trigger(model, device.bundle.manifest.triggers)
    device.detector.reset()
    for block in step_blocks(device, pcm):
        begin = time.thread_time_ns()
        whole = list(steps.push(block.pcm))
        stages.features.append(time.thread_time_ns() - begin)
        for step in whole:
            begin = time.thread_time_ns()
            scores = device.engine.step(step)
            heard = time.thread_time_ns()
            trigger.push(scores, [block.end] * len(scores))
            stages.engine.append(heard - begin)
            stages.trigger.append(time.thread_time_ns() - heard)
    return stages


def _step_samples(device: Device) -> int:
    model = device.detector.model
    return model.step_frames * model.features.hop


def _step_time(nanoseconds: list[int]) -> StepTime:
    p50, p99 = np.percentile(nanoseconds, (50, 99)) / 1000
    return StepTime(p50=float(p50), p99=float(p99))
