"""Other listeners that install from PyPI, and this one, over the same audio on the same core.

Each has a venv of its own in a cache folder. They hear by turns, so that what else the machine does
hits all alike; figures are medians. What cannot be installed or run is a row that says why.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from measure import (
    ROOT,
    TIMEOUT_SECONDS,
    count_instructions,
    print_table,
    run_script,
    speech,
    write_wav,
)
from venvs import Venv, last_words, make_venv

from edgekws.errors import EdgekwsError
from edgekws.events import Pcm
from edgekws.runtime.wiring import find_bundle

DRIVERS: Final = Path(__file__).with_name("drivers.py")
CACHE: Final = Path.home() / ".cache" / "edgekws-peers"
AUDIO_SECONDS: Final = 30
OWW_MODELS: Final = "openwakeword==0.4.0"  # the last wheel that holds every ONNX model it needs

COLUMNS: Final = (
    *("listener", "CPU s per s of audio", "peak RSS MB", "import + load CPU s", "installed MB"),
    *("model KB", "step", "window", "M instructions per s of audio"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A listener: its function in drivers.py, and what pip installs for it."""

    name: str
    driver: str
    packages: tuple[str, ...]
    borrows: str | None = None  # the package whose models it takes, where it brings none
    long_seconds: int = 64  # of audio under callgrind


PEERS: Final = (
    Peer("edgekws, LiteRT", "edgekws", (f"{ROOT}[tflite]",)),
    Peer("edgekws, ONNX Runtime", "edgekws", (f"{ROOT}[onnx]",)),
    Peer("pymicro-wakeword 2.5.0", "pymicro_wakeword", ("pymicro-wakeword==2.5.0",)),
    Peer(
        "ovos-ww-plugin-microwakeword 0.0.3a1",
        "ovos_microwakeword",
        ("ovos-ww-plugin-microwakeword==0.0.3a1",),
        borrows="pymicro-wakeword==2.5.0",
    ),
    Peer(
        "openWakeWord 0.6.0, ONNX Runtime",
        "openwakeword",
        ("openwakeword==0.6.0",),
        borrows=OWW_MODELS,
        long_seconds=24,
    ),
    Peer("pyopen-wakeword 1.1.0", "pyopen_wakeword", ("pyopen-wakeword==1.1.0",), long_seconds=24),
    Peer(
        "livekit-wakeword 0.3.0",
        "livekit_wakeword",
        ("livekit-wakeword==0.3.0",),
        borrows=OWW_MODELS,
        long_seconds=6,
    ),
    Peer("precise-lite-runner 0.4.1", "precise_lite", ("precise-lite-runner[tflite]==0.4.1",)),
)


@dataclass(slots=True)
class Subject:
    """A peer under measurement: what was found, or why nothing could be."""

    peer: Peer
    home: Venv
    folder: Path  # of the bundle, or of the models it borrows
    runs: list[Mapping[str, Any]] = field(default_factory=list)
    instructions: float | None = None
    failure: str | None = None

    def command(self, wav: Path) -> list[str]:
        """Return the command line that hears a WAV, deaf to PYTHON variables of ours."""
        argv = [str(self.home.python), "-I", str(DRIVERS), self.peer.driver, str(wav)]
        return [*argv, str(self.folder)]


def main() -> int:
    """Install, count instructions, hear by turns; print JSON lines, and a table on stderr."""
    args = _parser().parse_args()
    bundle, pcm = find_bundle(args.bundle).path.resolve(), speech(args.audio)
    chosen = [peer for peer in PEERS if not args.only or any(o in peer.name for o in args.only)]
    subjects = [install(peer, args.cache, bundle) for peer in chosen]
    if args.instructions:
        for subject in _well(subjects):
            _count(subject, pcm)
    os.sched_setaffinity(0, {args.core})  # what is started from here on inherits it
    with tempfile.TemporaryDirectory() as folder:
        wav = write_wav(Path(folder, "speech.wav"), pcm, seconds=AUDIO_SECONDS)
        for _ in range(args.rounds):
            for subject in _well(subjects):
                _hear(subject, wav)
    rows = [row(subject) for subject in subjects]
    for line in rows:
        print(json.dumps(line), flush=True)
    print_table(tuple(rows[0]), [[_cell(value) for value in line.values()] for line in rows])
    return 0


def install(peer: Peer, cache: Path, bundle: Path) -> Subject:
    """Make the peer's venv, or bring it up to date."""
    home = Venv(cache / peer.name.replace(",", "").replace(" ", "-").lower())
    subject = Subject(peer, home, bundle)
    try:
        make_venv(home, peer.packages)
        if peer.borrows:
            borrowed = Venv(cache / f"borrowed-{peer.borrows}")
            make_venv(borrowed, ("--no-deps", peer.borrows))
            subject.folder = borrowed.site
    except (subprocess.SubprocessError, OSError) as error:
        subject.failure = f"does not install: {last_words(error)}"
    return subject


def row(subject: Subject) -> dict[str, object]:
    """Return the row of a subject: medians over the rounds, or why there are none."""
    if subject.failure or not subject.runs:
        return dict.fromkeys(COLUMNS, None) | {
            "listener": f"{subject.peer.name}: {subject.failure}"
        }
    last = subject.runs[-1]
    figures = (
        subject.peer.name,
        round(_median(subject, "cpu_seconds_per_second"), 5),
        round(_median(subject, "peak_rss_mb"), 1),
        round(_median(subject, "load_seconds"), 3),
        round(subject.home.size_bytes() / 1e6),
        round(last["model_bytes"] / 1e3),
        last["step"],
        last["window"],
        subject.instructions and round(subject.instructions / 1e6, 1),
    )
    return dict(zip(COLUMNS, figures, strict=True))


def _well(subjects: Sequence[Subject]) -> Iterator[Subject]:
    return (subject for subject in subjects if subject.failure is None)


def _count(subject: Subject, pcm: Pcm) -> None:
    """Count instructions; where callgrind cannot run a listener, its other figures stand."""
    try:
        count = count_instructions(subject.command, pcm, long_seconds=subject.peer.long_seconds)
    except (EdgekwsError, subprocess.TimeoutExpired) as error:
        print(f"{subject.peer.name}: {error}", file=sys.stderr)
    else:
        subject.instructions = count.total
        print(f"{subject.peer.name}: {count.total / 1e6:.1f} M instructions", file=sys.stderr)


def _hear(subject: Subject, wav: Path) -> None:
    try:
        done = subprocess.run(
            subject.command(wav), capture_output=True, timeout=TIMEOUT_SECONDS, check=True
        )
        subject.runs.append(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.SubprocessError as error:
        subject.failure = f"does not run: {last_words(error)}"


def _median(subject: Subject, name: str) -> float:
    return float(median(run[name] for run in subject.runs))


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="of edgekws; default: as for `edgekws listen`")
    parser.add_argument("--audio", type=Path, help="a 16 kHz WAV; default: synthesized speech")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the venvs are made")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--only", action="append", metavar="TEXT", help="listeners by their names")
    parser.add_argument("--instructions", action="store_true", help="run callgrind too (an hour)")
    return parser


if __name__ == "__main__":
    run_script(main)
