"""What the daemon costs beside its bare detector: loading, CPU, memory, each as a ratio.

By turns, each in processes of its own over the same talk: the detector alone, the same with nothing
but a read of a pipe before each step, which no live source can do without, `edgekws listen` with
nothing but a source, and with tables of listen.toml. A figure is divided by that of the detector
alone in the same turn; printed are medians over the turns, so that a busy machine makes no odds.
A recording is a WAV; live is the same from a program, with all that watches over a live source, and
with the system calls that bring the sound. Both are taken as fast as the model can, once long and
once short: a second costs what the difference does, and loading and ending are in neither. Bytecode
is kept aside and made in a first turn that does not count: installed packages have theirs.
"""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from statistics import median
from typing import IO, Final

import numpy as np
from listening import SATELLITE, Listening
from measure import RATE, detector_alone, print_table, run_script, speech, turns_parser, write_wav
from soak import noisy

from edgekws.bundle import open_bundle
from edgekws.errors import EdgekwsError
from edgekws.events import Pcm
from edgekws.runtime.fresh import probe_fresh
from edgekws.runtime.wiring import find_bundle, open_device

TABLES: Final = """
[control]
socket = "{folder}/control"
[metrics]
port = 0
[journal]
path = "{folder}/journal.jsonl"
[near_misses]
"""
CAPTURES: Final = """
[captures]
folder = "{folder}/captures"
key_file = "{folder}/captures.key"
"""


SHORT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Audio:
    """The same talk as a recording and as raw samples."""

    wav: Path
    raw: Path
    seconds: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """The same talk, long and short."""

    long: Audio
    short: Audio

    def second(self, cpu_seconds: Callable[[Audio], float]) -> float:
        """Return what a second of it costs, whatever the start and the end do."""
        more = cpu_seconds(self.long) - cpu_seconds(self.short)
        return more / (self.long.seconds - self.short.seconds)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU until it could hear, CPU seconds per second of audio, peak memory; or ratios of them."""

    load_seconds: float
    recording_share: float
    live_share: float
    rss_mb: float

    def beside(self, other: "Cost") -> "Cost":
        """Return the ratios to another one."""
        return Cost(*(a / b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over all turns."""

    name: str
    cost: Cost
    ratio: Cost


def main() -> int:
    args = turns_parser(__doc__, seconds=300, turns=9).parse_args()
    bundle = find_bundle(args.bundle)
    pcm = noisy(speech(args.audio))
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        keep_bytecode(Path(folder))
        audio = Lengths(*(write_audio(pcm, n, Path(folder)) for n in (args.seconds, SHORT_SECONDS)))
        rows = compare(costs(bundle.path, audio, Path(folder)), turns=args.turns)
    for row in rows:
        print(json.dumps(asdict(row)))
    table(rows)
    return 0


def keep_bytecode(folder: Path) -> None:
    """Have the processes that are started keep their bytecode in a folder aside."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")


def write_audio(pcm: Pcm, seconds: int, folder: Path) -> Audio:
    raw = folder / f"{seconds}.raw"
    raw.write_bytes(np.resize(pcm, seconds * RATE).astype("<i2").tobytes())
    return Audio(write_wav(raw.with_suffix(".wav"), pcm, seconds=seconds), raw, seconds)


def costs(bundle: Path, audio: Lengths, folder: Path) -> dict[str, Callable[[], Cost]]:
    """Return what measures each of them once, by name; the first one is the detector alone."""
    plain, tables, captures = (folder / f"{name}.toml" for name in ("plain", "tables", "captures"))
    plain.touch()
    tables.write_text(TABLES.format(folder=folder))
    captures.write_text((TABLES + CAPTURES).format(folder=folder))
    return {
        "the detector alone": lambda: alone(bundle, audio),
        "the detector alone, reading a pipe": lambda: reading(bundle, audio),
        "`edgekws listen`": lambda: daemon(bundle, audio, plain),
        "with control, metrics, journal, near_misses": lambda: daemon(bundle, audio, tables),
        "with captures too": lambda: daemon(bundle, audio, captures),
    }


def compare(measured: dict[str, Callable[[], Cost]], *, turns: int) -> list[Row]:
    """Measure all of them by turns."""
    found: dict[str, list[Cost]] = {name: [] for name in measured}
    for turn in range(turns + 1):
        for name, measure in measured.items():
            cost = measure()
            found[name] += [cost] if turn else []
    first = next(iter(found.values()))
    return [row(name, own, first) for name, own in found.items()]


def row(name: str, own: list[Cost], first: list[Cost]) -> Row:
    ratios = [cost.beside(other) for cost, other in zip(own, first, strict=True)]
    return Row(name, medians(own), medians(ratios))


def medians(costs: list[Cost]) -> Cost:
    return Cost(*(round(median(each), 5) for each in zip(*map(astuple, costs), strict=True)))


def alone(bundle: Path, audio: Lengths) -> Cost:
    """Let the detector alone load, as `edgekws bench` has it, and hear the audio."""
    loaded = probe_fresh(bundle, open_device(open_bundle(bundle)).model_file.key)
    share = hearing(bundle, audio.long.wav)
    return Cost(loaded.load_seconds, share, share, loaded.peak_rss_mb)


def reading(bundle: Path, audio: Lengths) -> Cost:
    """Let it hear the same from a program, as a daemon with a live source does."""
    cost = alone(bundle, audio)
    with subprocess.Popen(["cat", str(audio.long.raw)], stdout=subprocess.PIPE) as program:
        return replace(cost, live_share=hearing(bundle, Path("-"), stdin=program.stdout))


def hearing(bundle: Path, wav: Path, *, stdin: IO[bytes] | None = None) -> float:
    """Return the CPU seconds per second of audio of a process that does nothing but hear."""
    argv = detector_alone(bundle, str(wav))
    done = subprocess.run(argv, stdin=stdin, stdout=subprocess.PIPE, check=True)
    return float(json.loads(done.stdout)["cpu_seconds_per_second"])


def daemon(bundle: Path, audio: Lengths, config: Path) -> Cost:
    """Have a daemon load, others hear the recordings, and others the same live."""
    flags = ("--config", str(config))
    rss = 0.0
    with Listening(bundle, SATELLITE, *flags) as listening:
        listening.wait_for("waiting for a satellite")
        load = listening.cpu_seconds()

    def recording(part: Audio) -> float:
        before = sum(os.times()[2:4])
        with Listening(bundle, f"wav:{part.wav}", *flags) as listening:
            listening.wait_for(f"ended samples={part.seconds * RATE} ")
            listening.process.wait()
        return sum(os.times()[2:4]) - before

    def live(part: Audio) -> float:
        nonlocal rss
        source = f"exec:tail -c +1 -f {shlex.quote(str(part.raw))}"  # which waits for more
        with Listening(bundle, source, *flags) as listening:
            listening.wait_for("source lost")
            spent, rss = listening.cpu_seconds(), max(rss, listening.status_mb("VmHWM"))
            heard = listening.end()["samples"]
        if heard < (part.seconds - 1) * RATE:
            raise EdgekwsError(f"only {heard} of {part.seconds * RATE} samples were heard")
        return spent

    return Cost(load, audio.second(recording), audio.second(live), rss)


def table(rows: list[Row]) -> None:
    print_table(
        (
            "",
            "CPU of loading",
            "CPU of a second, recording",
            "CPU of a second, live",
            "memory",
        ),
        [
            (
                row.name,
                f"{1000 * row.cost.load_seconds:.0f} ms, {row.ratio.load_seconds:.2f}",
                f"{1000 * row.cost.recording_share:.2f} ms, {row.ratio.recording_share:.2f}",
                f"{1000 * row.cost.live_share:.2f} ms, {row.ratio.live_share:.2f}",
                f"{row.cost.rss_mb:.1f} MB, {row.ratio.rss_mb:.2f}",
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    run_script(main)
