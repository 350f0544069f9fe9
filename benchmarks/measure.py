"""What the benchmarks share: the audio, instruction counts by callgrind, tables."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from edgekws.errors import DataError, EdgekwsError, MissingExtraError
from edgekws.events import Pcm

ROOT: Final = Path(__file__).resolve().parents[1]
RATE: Final = 16_000
SHORT_SECONDS: Final = 4
LONG_SECONDS: Final = 64  # starting ONNX Runtime varies by 30 million instructions: 0.5 a second
TIMEOUT_SECONDS: Final = 1800
SENTENCES: Final = (
    "the weather will be cloudy with some sunshine later in the week",
    "please remember to water the flowers before you leave the house",
    "an old ship crossed the harbour slowly while the children were watching",
)
LIBRARIES: Final = (  # the first one that fits names the part
    ("engine", r"onnxruntime|litert|tflite|tensorflow|openvino|tbb"),
    ("FFT", r"pocketfft"),
    ("BLAS", r"openblas|mkl|blis"),
    ("numpy", r"numpy|multiarray"),
    ("Python", r"libpython|bin/python|msgspec"),
    ("C library", r"libc\.so|libm\.so|libstdc|libgcc|ld-linux"),
)


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions per second of audio, in all and by part."""

    total: float
    parts: dict[str, float]


def speech(path: Path | None) -> Pcm:
    """Return (n,) int16 at 16 kHz: of a WAV, or sentences in some synthesized voices."""
    if path is None:
        from edgekws.train.synth import synthesize_words

        return np.concatenate(
            [pcm for _, pcm in synthesize_words(SENTENCES, "en", takes=2, seed=1)]
        )
    with wave.open(str(path), "rb") as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (RATE, 2, 1):
            raise DataError(f"{path}: needs to be a WAV of 16 kHz, 16 bits, one channel")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def write_wav(path: Path, pcm: Pcm, *, seconds: float) -> Path:
    """Write so many seconds of the audio, from its start again where it is too short."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.resize(pcm, round(seconds * RATE)).astype("<i2").tobytes())
    return path


def count_instructions(
    command: Callable[[Path], Sequence[str]],
    pcm: Pcm,
    *,
    long_seconds: int = LONG_SECONDS,
    fed: bool = False,
) -> Count:
    """Run a command on a short and on a long WAV under callgrind; return what a second costs.

    `fed` ones find it on stdin, by a pipe. What the start costs is in both and so in neither.
    Raises MissingExtraError without valgrind, EdgekwsError for a command that fails under it.
    """
    if shutil.which("valgrind") is None:
        raise MissingExtraError("counting instructions needs valgrind: apt-get install valgrind")
    lengths = (SHORT_SECONDS, long_seconds)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(lengths)) as pool:
        wavs = [write_wav(Path(folder, f"{s}.wav"), pcm, seconds=s) for s in lengths]
        short, long = pool.map(lambda wav: _callgrind(command(wav), wav, fed=fed), wavs)
    spent = {part: (long[part] - short[part]) / (long_seconds - SHORT_SECONDS) for part in long}
    return Count(sum(spent.values()), dict(sorted(spent.items(), key=lambda item: -item[1])))


def detector_alone(bundle: Path, source: str) -> list[str]:
    """Return the command line of what does nothing but hear: a WAV, or "-" for raw samples."""
    driver = Path(__file__).with_name("drivers.py")
    return [sys.executable, str(driver), "edgekws", source, str(bundle)]


def daemon_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what every script takes that lets a daemon hear talk."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="as for edgekws listen")
    parser.add_argument("--audio", type=Path, metavar="WAV", help="repeated over the whole time")
    return parser


def turns_parser(description: str | None, *, seconds: int, turns: int) -> argparse.ArgumentParser:
    """Return one for a script that compares by turns, with these defaults."""
    parser = daemon_parser(description)
    each = f"of audio in each turn ({seconds})"
    parser.add_argument("--seconds", type=int, default=seconds, help=each)
    parser.add_argument("--turns", type=int, default=turns, help=f"that count ({turns})")
    return parser


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table on stderr."""
    for cells in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(cells)} |", file=sys.stderr)


def _callgrind(command: Sequence[str], wav: Path, *, fed: bool) -> Counter[str]:
    """Return the instructions that a command executes on a WAV, by part."""
    dump = wav.with_suffix(".cg")
    argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={dump}", *command]
    done = subprocess.run(
        argv,
        input=wav.read_bytes() if fed else None,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.decode().splitlines() if not line.startswith("==")]
        raise EdgekwsError(f"under callgrind: {' '.join(said[-1:]) or done.returncode}")
    return _parts(dump)


def _parts(dump: Path) -> Counter[str]:
    """Sum the exclusive costs of a callgrind file by library.

    "ob=(7) /path" names the library of the lines that follow, once with its path, then by number;
    the line after "calls=" holds what the callee spent, which stands at the callee already.
    """
    paths: dict[str, str] = {}
    spent: Counter[str] = Counter()
    library, called = "", False
    with dump.open() as lines:
        for line in lines:
            if match := re.match(r"(c?)ob=(\(\d+\))(?: (.*))?", line):
                callee, number, path = match.groups()
                paths.setdefault(number, path or "")
                library = library if callee else number
            elif line.startswith("calls="):
                called = True
            elif line[0] in "0123456789+-*":
                spent[library] += 0 if called else int(line.split()[1])
                called = False
    named: Counter[str] = Counter()
    for number, cost in spent.items():
        named[_part(paths.get(number, ""))] += cost
    return named


def _part(path: str) -> str:
    return next((name for name, pattern in LIBRARIES if re.search(pattern, path)), "other")


def run_script(main: Callable[[], int]) -> NoReturn:
    """End the process with the code of a script, or the one line of its error."""
    try:
        sys.exit(main())
    except EdgekwsError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
