"""From the end of a spoken word to the line that says so, beside what it costs, by step size.

A run is converted once for each step; its validation stream is then heard in blocks of a step that
end where steps do, as `listen` takes them from a microphone, with the thresholds of the bundle that
was exported from the run. Where rows of scores come more often than in the bundle, a detection
needs as many more of them in a row.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np
from measure import print_table, run_script

from edgekws.bundle.manifest import Manifest
from edgekws.events import Block, Floats, Pcm
from edgekws.export.calibration import calibration_steps
from edgekws.export.formats import Job, convert
from edgekws.export.keys import parse_key
from edgekws.export.stepping import at_step, finer_run
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import Truth, blocks, match_detections, stream_report
from edgekws.runtime.steps import steps_for
from edgekws.runtime.wiring import find_bundle
from edgekws.specs import ModelKey
from edgekws.train.run import Run, load_net, load_run, model_spec
from edgekws.train.run_audio import load_calibration
from edgekws.train.stream import Stream, load_stream

STEPS_MS: Final = (10, 20, 40, 80, 160)
CALIBRATION_CLIPS: Final = 32
COST_SECONDS: Final = 40
TOLERANCE_SECONDS: Final = 1.0
FRAME_SECONDS: Final = 0.02  # in which the end of a word is looked for
FALL_DB: Final = 25.0  # a word has ended where it stays so far below its loudest frame
OVER_NOISE_DB: Final = 6.0  # or so little above what was before it


@dataclass(frozen=True, slots=True)
class Variant:
    """A run at one step size."""

    step_ms: int
    detector: Detector
    cpu_seconds: list[float] = field(default_factory=list)

    @property
    def step_samples(self) -> int:
        """Samples of a step, and of a block."""
        return self.detector.model.step_frames * self.detector.model.features.hop


def main() -> int:
    """Print a JSON object for each step size, and a table on stderr."""
    args = _parser().parse_args()
    run, stream = load_run(args.run), load_stream(args.run / "stream.npz")
    pcm, truths = second_half(run, stream, minutes=args.minutes)
    bundle = find_bundle(args.bundle).manifest
    steps = args.step or STEPS_MS
    variants = [build(args.run, run, args.model, bundle, step_ms=step) for step in steps]
    measure_cost(variants, pcm, rounds=args.rounds)
    rows = [row(variant, pcm, truths) for variant in variants]
    for line in rows:
        print(json.dumps(line), flush=True)
    print_table(tuple(rows[0]), [[str(value) for value in line.values()] for line in rows])
    return 0


def build(folder: Path, run: Run, key: ModelKey, bundle: Manifest, *, step_ms: int) -> Variant:
    """Convert a run for one step size, and open the detector on it."""
    run = finer_run(run, step_ms)
    model = at_step(model_spec(run), step_ms)
    clips = calibration_steps(model, load_calibration(folder)[:CALIBRATION_CLIPS])
    (made,) = convert(Job(load_net(folder, run), model, clips, _say), [key])
    with tempfile.TemporaryDirectory() as aside:
        engine = made.open(Path(aside))
    often = bundle.model.samples_per_score // model.samples_per_score
    triggers = {
        label: msgspec.structs.replace(spec, consecutive=1 + (spec.consecutive - 1) * often)
        for label, spec in bundle.triggers.items()
    }
    detector = Detector(model, engine, triggers, steps=steps_for(model, made.graph))
    return Variant(step_ms, detector)


def heard_blocks(variant: Variant, pcm: Pcm) -> Iterator[Block]:
    """Give blocks of a step, the first one cut so that each ends with a step."""
    features = variant.detector.model.features
    lead = (features.window - features.hop) % variant.step_samples
    yield Block(pcm[:lead], 0, features.sample_rate)
    for block in blocks(pcm[lead:], sample_rate=features.sample_rate, samples=variant.step_samples):
        yield replace(block, start=block.start + lead)


def measure_cost(variants: Sequence[Variant], pcm: Pcm, *, rounds: int) -> None:
    """Let the variants hear the same audio by turns, one round more than is counted."""
    for turn in range(rounds + 1):
        for variant in variants:
            rate = variant.detector.model.features.sample_rate
            cut = list(heard_blocks(variant, pcm[: COST_SECONDS * rate]))
            variant.detector.reset()
            begin = time.process_time()
            for block in cut:
                variant.detector.push(block)
            if turn:
                variant.cpu_seconds.append(time.process_time() - begin)


def row(variant: Variant, pcm: Pcm, truths: Sequence[Truth]) -> dict[str, object]:
    """Return the row of a step size; delays count to the end of the block with the detection."""
    rate = variant.detector.model.features.sample_rate
    variant.detector.reset()
    heard = [
        replace(found, sample=block.end)
        for block in heard_blocks(variant, pcm)
        for found in variant.detector.push(block)
    ]
    matches = match_detections(heard, truths, tolerance_samples=round(TOLERANCE_SECONDS * rate))
    report = stream_report(matches, samples=len(pcm), sample_rate=rate)
    delay = report.delay_seconds
    return {
        "step ms": variant.step_ms,
        "% of a core": round(100 * median(variant.cpu_seconds) / COST_SECONDS, 3),
        "delay p50 ms": delay.p50 and round(1000 * delay.p50),
        "delay p95 ms": delay.p95 and round(1000 * delay.p95),
        "missed %": round(100 * len(matches.missed) / max(1, len(truths)), 1),
        "false accepts per hour": round(report.false_accepts_per_hour, 1),
    }


def second_half(run: Run, stream: Stream, *, minutes: float) -> tuple[Pcm, list[Truth]]:
    """Return audio on which no threshold was chosen, and its words with their audible ends."""
    rate, first = run.features.sample_rate, stream.tune_end
    pcm = stream.pcm[first : first + round(60 * minutes * rate)]
    places = [(start - first, end - first, run.labels[label]) for start, end, label in stream.truth]
    return pcm, [
        Truth(start, word_end(pcm, start, end, rate=rate), label)
        for start, end, label in places
        if start >= 0 and end <= len(pcm)
    ]


def word_end(pcm: Pcm, start: int, end: int, *, rate: int) -> int:
    """Return where the word in a clip ends: the clip itself goes on in silence or noise."""
    noise = float(np.median(_loudness(pcm[max(0, start - rate // 2) : start], rate)))
    loud = _loudness(pcm[start:end], rate)
    level = max(noise + OVER_NOISE_DB, float(loud.max()) - FALL_DB)
    last = int(np.flatnonzero(loud >= min(level, float(loud.max()))).max())
    return start + round((last + 1) * FRAME_SECONDS * rate)


def _loudness(pcm: Pcm, rate: int) -> Floats:
    """Return the level of each frame in dB, (frames,)."""
    size = round(FRAME_SECONDS * rate)
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float32)
    return np.asarray(10 * np.log10(np.square(frames).mean(axis=1) + 1e-3))


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run, with its stream.npz")
    parser.add_argument("--bundle", type=Path, help="exported from it; default: as for listen")
    parser.add_argument(
        "--model",
        type=parse_key,
        default=ModelKey("tflite", "int8", fused=True),
        metavar="KEY",
    )
    parser.add_argument(
        "--step", type=int, action="append", metavar="MS", help="default: 10 to 160"
    )
    parser.add_argument("--minutes", type=float, default=60, help="of the stream")
    parser.add_argument("--rounds", type=int, default=7)
    return parser


if __name__ == "__main__":
    run_script(main)
