"""Instructions that `edgekws listen` executes per second of audio, by valgrind's callgrind.

A figure that noise does not move: the difference between a long and a short run, so that starting
up is in neither. valgrind shows programs a processor with AVX2 and without AVX-512. Counted is what
hears a recording; with --beside also what hears the same on stdin, as live sound comes, and its
bare detector hearing both.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from measure import Count, count_instructions, detector_alone, print_table, run_script, speech

from edgekws.bundle import Bundle
from edgekws.errors import EdgekwsError
from edgekws.events import Pcm
from edgekws.export.repack import repack
from edgekws.runtime.wiring import find_bundle


@dataclass(frozen=True, slots=True)
class Way:
    """How something hears: `command` takes the folder of a bundle and a WAV, or "-" where `fed`."""

    name: str
    command: Callable[[Path, str], list[str]]
    fed: bool = False


def listen(bundle: Path, source: str) -> list[str]:
    """Return the command line of a daemon with nothing but a source."""
    edgekws = [sys.executable, "-m", "edgekws", "listen", "--bundle", str(bundle)]
    return [*edgekws, "--source", source if source == "-" else f"wav:{source}", "--sink", "stdout:"]


WAYS: Final = (
    Way("`edgekws listen`", listen),
    Way("`edgekws listen`, live", listen, fed=True),
    Way("the detector alone", detector_alone),
    Way("the detector alone, reading a pipe", detector_alone, fed=True),
)


def main() -> int:
    """Print a JSON object for each model file that was asked for, and a table on stderr."""
    args = _parser().parse_args()
    bundle, pcm = find_bundle(args.bundle), speech(args.audio)
    counts = {}
    for key in args.engine or [bundle.manifest.models[0].key]:
        for way in WAYS if args.beside else WAYS[:1]:
            try:
                found = counts[key, way.name] = count(bundle, key, pcm, way)
            except EdgekwsError as error:  # an engine whose own code callgrind cannot run, perhaps
                print(f"{key}, {way.name}: {error}", file=sys.stderr)
            else:
                print(json.dumps(_row(bundle, key, way, found)), flush=True)
    parts = list(dict.fromkeys(part for found in counts.values() for part in found.parts))
    rows = [[", ".join(name), *_millions(found, parts)] for name, found in counts.items()]
    print_table(["millions per second of audio", "all", *parts], rows)
    return 0 if counts else 1


def count(bundle: Bundle, key: str, pcm: Pcm, way: Way) -> Count:
    """Count what one way of hearing executes with one model file of a bundle."""
    with tempfile.TemporaryDirectory() as folder:
        target = bundle.manifest.target
        alone = repack(bundle.path, Path(folder), target, say=lambda _: None, models=[key])

        def command(wav: Path) -> list[str]:
            return way.command(alone, "-" if way.fed else str(wav))

        return count_instructions(command, pcm, fed=way.fed)


def _row(bundle: Bundle, key: str, way: Way, count: Count) -> dict[str, object]:
    return {
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
        "model": key,
        "way": way.name,
        "instructions_per_second": round(count.total),
        "parts": {part: round(cost) for part, cost in count.parts.items()},
    }


def _millions(count: Count, parts: list[str]) -> list[str]:
    return [f"{cost / 1e6:.1f}" for cost in (count.total, *(count.parts.get(p, 0) for p in parts))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="default: as for `edgekws listen`")
    parser.add_argument(
        "--engine", action="append", metavar="FORMAT-PRECISION", help="default: the bundle's first"
    )
    parser.add_argument("--beside", action="store_true", help="count its bare detector too")
    parser.add_argument("--audio", type=Path, help="a 16 kHz WAV; default: synthesized speech")
    return parser


if __name__ == "__main__":
    run_script(main)
