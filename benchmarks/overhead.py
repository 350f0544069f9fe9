"""What the daemon costs beside its bare detector: loading, CPU, memory, each as a ratio.

By turns, each in processes of its own over the same talk: the detector alone, `edgekws listen` with
nothing but a source, and with tables of listen.toml. A figure is divided by that of the detector
alone in the same turn; printed are medians over the turns, so that a busy machine makes no odds.
A recording is a WAV; live is the same from a program, with all that watches over a live source, and
with the system calls that bring the sound. Both are taken as fast as the model can. Bytecode is
kept aside and made in a first turn that does not count: installed packages have theirs.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from listening import SATELLITE, Listening
from measure import RATE, print_table, run_script, speech, write_wav
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


@dataclass(frozen=True, slots=True)
class Audio:
    """The same talk as a recording and as raw samples."""

    wav: Path
    raw: Path
    seconds: int


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="as for edgekws listen")
    parser.add_argument("--audio", type=Path, metavar="WAV", help="repeated over the whole time")
    parser.add_argument("--seconds", type=int, default=300, help="of audio in each turn (300)")
    parser.add_argument("--turns", type=int, default=9, help="that count (9)")
    args = parser.parse_args()
    bundle = find_bundle(args.bundle)
    pcm = noisy(speech(args.audio))
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        keep_bytecode(Path(folder))
        audio = write_audio(pcm, args.seconds, Path(folder))
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
    raw = folder / "audio.raw"
    raw.write_bytes(np.resize(pcm, seconds * RATE).astype("<i2").tobytes())
    return Audio(write_wav(folder / "audio.wav", pcm, seconds=seconds), raw, seconds)


def costs(bundle: Path, audio: Audio, folder: Path) -> dict[str, Callable[[], Cost]]:
    """Return what measures each of them once, by name; the first one is the detector alone."""
    plain, tables, captures = (folder / f"{name}.toml" for name in ("plain", "tables", "captures"))
    plain.touch()
    tables.write_text(TABLES.format(folder=folder))
    captures.write_text((TABLES + CAPTURES).format(folder=folder))
    return {
        "the detector alone": lambda: alone(bundle, audio),
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


def alone(bundle: Path, audio: Audio) -> Cost:
    """Let the detector alone load, as `edgekws bench` has it, and hear the audio."""
    loaded = probe_fresh(bundle, open_device(open_bundle(bundle)).model_file.key)
    driver = [sys.executable, str(Path(__file__).with_name("drivers.py"))]
    argv = [*driver, "edgekws", str(audio.wav), str(bundle)]
    done = subprocess.run(argv, capture_output=True, check=True)
    share = json.loads(done.stdout)["cpu_seconds_per_second"]
    return Cost(loaded.load_seconds, share, share, loaded.peak_rss_mb)


def daemon(bundle: Path, audio: Audio, config: Path) -> Cost:
    """Have a daemon load, another one hear the recording, and a third one the same live."""
    flags = ("--config", str(config))
    with Listening(bundle, SATELLITE, *flags) as listening:
        listening.wait_for("waiting for a satellite")
        load = listening.cpu_seconds()
    before = sum(os.times()[2:4])
    with Listening(bundle, f"wav:{audio.wav}", *flags) as listening:
        listening.wait_for(f"ended samples={audio.seconds * RATE} ")
        listening.process.wait()
    recording = sum(os.times()[2:4]) - before - load
    source = f"exec:tail -c +1 -f {shlex.quote(str(audio.raw))}"  # which waits for more at its end
    with Listening(bundle, source, *flags) as listening:
        listening.wait_for("source lost")
        live, rss = listening.cpu_seconds() - load, listening.status_mb("VmHWM")
        heard = listening.end()["samples"]
    if heard < (audio.seconds - 1) * RATE:
        raise EdgekwsError(f"only {heard} of {audio.seconds * RATE} samples were heard")
    return Cost(load, recording / audio.seconds, live / audio.seconds, rss)


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
