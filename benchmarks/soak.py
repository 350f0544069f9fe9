"""The whole daemon over hours: what it leaks, what it drops, and how late its lines are.

The same audio goes through `edgekws listen` twice, as from a satellite on the loopback: as fast as
it is taken, and in real time. Detections have to be the same in both, no block may be lost, memory
may not grow; the exit code is 1 where that is not so. Without --audio the bundle's commands are
spoken by eSpeak NG, each with a pause behind it.

A line's delay is from sending the last sample of the step that decided it until the line has been
read from the pipe: the features, the net, the trigger and the thread that writes are all in it.
"""

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from listening import SATELLITE, Listening
from measure import RATE, daemon_parser, detector_alone, print_table, run_script, speech, write_wav

from edgekws.events import Pcm
from edgekws.runtime.wiring import find_bundle
from edgekws.specs import ModelSpec

CHUNK: Final = 160  # samples sent at a time in real time
FAST_CHUNK: Final = RATE
WARM_SHARE: Final = 0.1  # of the audio, after which memory is looked at
PAUSE_SECONDS: Final = 1.0
BARE_SECONDS: Final = 600
NOISE: Final = 30  # of the room, in steps of int16: a microphone is never all zeros


@dataclass(frozen=True, slots=True)
class Part:
    """What one pass showed; delays are None where nothing was detected or it was not in time."""

    pace: str
    audio_seconds: float
    took_seconds: float
    load_seconds: float
    cpu_share: float
    rss_mb: float
    grown_mb: float
    grown_mb_per_hour: float
    lost_samples: int
    gaps: int
    refused: int
    detections: int
    line_ms_p50: float | None
    line_ms_p99: float | None
    line_ms_max: float | None


@dataclass(frozen=True, slots=True)
class Bare:
    """What the detector alone takes for the same audio, without a daemon around it."""

    bare_load_seconds: float
    bare_cpu_share: float
    bare_rss_mb: float


def main() -> int:
    parser = daemon_parser(__doc__)
    parser.add_argument("--fast-seconds", type=int, default=3600, help="of audio, at full speed")
    parser.add_argument("--real-seconds", type=int, default=600, help="of audio, in real time")
    parser.add_argument("--most-mb-per-hour", type=float, default=1.0, help="that it may grow")
    args = parser.parse_args()
    bundle = find_bundle(args.bundle)
    model = bundle.manifest.model
    pcm = noisy(commands(model) if args.audio is None else speech(args.audio))
    fast, heard_fast = soak(bundle.path, model, pcm, seconds=args.fast_seconds, real=False)
    real, heard_real = soak(bundle.path, model, pcm, seconds=args.real_seconds, real=True)
    last = (min(args.fast_seconds, args.real_seconds) - 1) * RATE  # what both heard
    same = [x for x in heard_fast if x[1] < last] == [x for x in heard_real if x[1] < last]
    for part in (fast, real):
        print(json.dumps(asdict(part)))
    alone = bare(bundle.path, pcm, seconds=args.fast_seconds)
    print(json.dumps({"same_detections": same, **asdict(alone)}))
    table((fast, real), alone)
    whole = all(part.lost_samples == part.gaps == part.refused == 0 for part in (fast, real))
    return 0 if same and whole and fast.grown_mb_per_hour <= args.most_mb_per_hour else 1


def soak(
    bundle: Path, model: ModelSpec, pcm: Pcm, *, seconds: int, real: bool
) -> tuple[Part, list[tuple[str, int]]]:
    """Send so much audio and return what that showed, and the detections by label and sample."""
    with Listening(bundle, SATELLITE) as listening, listening.connect() as satellite:
        begun, load = time.monotonic(), listening.cpu_seconds()
        sent, warm = send(satellite, listening, pcm, seconds=seconds, real=real)
        counters = listening.end()
        took, cpu = time.monotonic() - begun, listening.cpu_seconds() - load
        rss = listening.status_mb("VmHWM")
    found = [(now, x) for now, x in listening.lines if x["event"] == "detection"]
    features, step = model.features, model.step_frames * model.features.hop
    lead = features.window - features.hop
    cut = step - lead  # by which the first block is shortened: then blocks end with steps
    ends = [lead + -(-(x["sample"] - lead) // step) * step for _, x in found]  # of those steps
    delays = [
        now - sent[(end + cut - 1) // CHUNK]
        for (now, _), end in zip(found, ends, strict=True)
        if real
    ]
    part = Part(
        pace="real time" if real else "full speed",
        audio_seconds=seconds,
        took_seconds=round(took, 1),
        load_seconds=load,
        cpu_share=round(cpu / seconds, 5),
        rss_mb=round(rss, 2),
        grown_mb=round(rss - warm, 2),
        grown_mb_per_hour=round((rss - warm) / (1 - WARM_SHARE) / seconds * 3600, 2),
        lost_samples=seconds * RATE // step * step - cut - counters["samples"],
        gaps=counters["gaps"],
        refused=counters["refused"],
        detections=len(found),
        line_ms_p50=quantile(delays, 0.50),
        line_ms_p99=quantile(delays, 0.99),
        line_ms_max=quantile(delays, 1.0),
    )
    return part, [(x["label"], x["sample"]) for _, x in found]


def send(
    satellite: socket.socket, listening: Listening, pcm: Pcm, *, seconds: int, real: bool
) -> tuple[list[float], float]:
    """Return when each chunk was sent, and the memory in MB when a tenth was."""
    chunk = CHUNK if real else FAST_CHUNK
    data, begun = pcm.astype("<i2").tobytes(), time.monotonic()
    sent: list[float] = []
    warm = 0.0
    count = seconds * RATE // chunk
    for number in range(count):
        if real:
            time.sleep(max(0.0, begun + (number + 1) * chunk / RATE - time.monotonic()))
        start = number * chunk * 2 % len(data)
        satellite.sendall((data + data)[start : start + chunk * 2])
        sent.append(time.monotonic())
        if number == int(count * WARM_SHARE):
            warm = listening.status_mb("VmHWM")
    return sent, warm


def bare(bundle: Path, pcm: Pcm, *, seconds: int) -> Bare:
    """Let the detector alone hear up to ten minutes of the same audio, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        wav = write_wav(Path(folder, "a.wav"), pcm, seconds=min(seconds, BARE_SECONDS))
        argv = detector_alone(bundle, str(wav))
        done = subprocess.run(argv, capture_output=True, check=True)
    figures = json.loads(done.stdout)
    return Bare(
        bare_load_seconds=round(figures["load_seconds"], 2),
        bare_cpu_share=round(figures["cpu_seconds_per_second"], 5),
        bare_rss_mb=round(figures["peak_rss_mb"], 2),
    )


def commands(model: ModelSpec) -> Pcm:
    """Return every command in two voices, each with a pause behind it."""
    from edgekws.train.synth import synthesize_words

    pause = np.zeros(round(PAUSE_SECONDS * RATE), np.int16)
    spoken = [pcm for _, pcm in synthesize_words(model.commands, "en", takes=2, seed=1)]
    return np.concatenate([part for pcm in spoken for part in (pcm, pause)])


def noisy(pcm: Pcm) -> Pcm:
    """Return the audio in a room, whole chunks of it."""
    whole = np.resize(pcm, -(-len(pcm) // FAST_CHUNK) * FAST_CHUNK)
    noise = np.random.default_rng(1).normal(size=len(whole)) * NOISE
    return (whole + noise).clip(-32768, 32767).astype(np.int16)


def quantile(delays: Sequence[float], share: float) -> float | None:
    """Return milliseconds, None of nothing."""
    if not delays:
        return None
    return round(1000 * float(np.quantile(np.array(delays), share, method="higher")), 2)


def table(parts: Sequence[Part], alone: Bare) -> None:
    print_table(
        (
            "pace",
            "audio",
            "load",
            "CPU",
            "most memory",
            "grown per hour",
            "lost",
            "heard",
            "line p50 / p99",
        ),
        [
            (
                part.pace,
                f"{part.audio_seconds} s in {part.took_seconds} s",
                f"{part.load_seconds:.2f} s",
                f"{100 * part.cpu_share:.2f} %",
                f"{part.rss_mb:.1f} MB",
                f"{part.grown_mb_per_hour:.2f} MB",
                str(part.lost_samples),
                str(part.detections),
                f"{part.line_ms_p50} / {part.line_ms_p99} ms",
            )
            for part in parts
        ]
        + [
            (
                "the detector alone",
                "",
                f"{alone.bare_load_seconds:.2f} s",
                f"{100 * alone.bare_cpu_share:.2f} %",
                f"{alone.bare_rss_mb:.1f} MB",
                *[""] * 4,
            )
        ],
    )


if __name__ == "__main__":
    run_script(main)
