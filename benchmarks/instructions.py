"""Instructions that `edgekws listen` executes per second of audio, by valgrind's callgrind.

A figure that noise does not move: the difference between a long and a short run, so that starting
up is in neither. valgrind shows programs a processor with AVX2 and without AVX-512.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from measure import Count, count_instructions, print_table, run_script, speech

from edgekws.bundle import Bundle
from edgekws.errors import EdgekwsError
from edgekws.events import Pcm
from edgekws.export.repack import repack
from edgekws.runtime.wiring import find_bundle


def main() -> int:
    """Print a JSON object for each model file that was asked for, and a table on stderr."""
    args = _parser().parse_args()
    bundle, pcm = find_bundle(args.bundle), speech(args.audio)
    counts = {}
    for key in args.engine or [bundle.manifest.models[0].key]:
        try:
            counts[key] = count(bundle, key, pcm)
        except EdgekwsError as error:  # an engine whose own code callgrind cannot run, perhaps
            print(f"{key}: {error}", file=sys.stderr)
        else:
            print(json.dumps(_row(bundle, key, counts[key])), flush=True)
    parts = list(dict.fromkeys(part for found in counts.values() for part in found.parts))
    rows = [[key, *_millions(found, parts)] for key, found in counts.items()]
    print_table(["millions per second of audio", "all", *parts], rows)
    return 0 if counts else 1


def count(bundle: Bundle, key: str, pcm: Pcm) -> Count:
    """Count what `edgekws listen` executes with one model file of a bundle."""
    with tempfile.TemporaryDirectory() as folder:
        target = bundle.manifest.target
        alone = repack(bundle.path, Path(folder), target, say=lambda _: None, models=[key])
        return count_instructions(partial(listen, alone), pcm)


def listen(bundle: Path, wav: Path) -> list[str]:
    """Return the command line that hears a WAV."""
    edgekws = [sys.executable, "-m", "edgekws", "listen", "--bundle", str(bundle)]
    return [*edgekws, "--source", f"wav:{wav}", "--sink", "stdout:"]


def _row(bundle: Bundle, key: str, count: Count) -> dict[str, object]:
    return {
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
        "model": key,
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
    parser.add_argument("--audio", type=Path, help="a 16 kHz WAV; default: synthesized speech")
    return parser


if __name__ == "__main__":
    run_script(main)
