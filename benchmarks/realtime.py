"""What `edgekws listen` costs beside its bare detector in real time.

Every step finds a CPU that has done other things meanwhile. Both hear the same talk at the same
time, each from a program that prints a step every 80 ms. What wakes up by itself counts here, as it
does not where audio comes as fast as the model can. Printed are the CPU seconds per second of audio
and the medians of their ratios over the turns.
"""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Final

from drivers import WARM_UP_SECONDS
from listening import Listening
from measure import print_table, run_script, speech, turns_parser
from overhead import hearing, keep_bytecode, write_audio
from soak import noisy

from edgekws.runtime.wiring import find_bundle

FEEDER: Final = (sys.executable, str(Path(__file__).with_name("feeder.py")))


def main() -> int:
    args = turns_parser(__doc__, seconds=60, turns=5).parse_args()
    bundle = find_bundle(args.bundle).path
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        keep_bytecode(Path(folder))
        raw = write_audio(noisy(speech(args.audio)), args.seconds, Path(folder)).raw
        turns = [turn(bundle, raw, args.seconds) for _ in range(args.turns)]
    shares = [median(each) for each in zip(*turns, strict=True)]
    ratio = median(daemon / bare for bare, daemon in turns)
    rows = (("the detector alone", shares[0], 1.0), ("`edgekws listen`", shares[1], ratio))
    for name, share, beside in rows:
        print(json.dumps({"name": name, "cpu_share": round(share, 5), "ratio": round(beside, 3)}))
    print_table(
        ("", "CPU of a second", "ratio"),
        [(name, f"{1000 * share:.1f} ms", f"{beside:.2f}") for name, share, beside in rows],
    )
    return 0


def turn(bundle: Path, raw: Path, seconds: int) -> tuple[float, float]:
    """Return what a second takes of the detector alone, and of the daemon, both at once."""
    with ThreadPoolExecutor() as both:
        bare, whole = both.submit(alone, bundle, raw), both.submit(daemon, bundle, raw, seconds)
        return bare.result(), whole.result()


def alone(bundle: Path, raw: Path) -> float:
    with subprocess.Popen([*FEEDER, str(raw)], stdout=subprocess.PIPE) as feeder:
        return hearing(bundle, Path("-"), stdin=feeder.stdout)


def daemon(bundle: Path, raw: Path, seconds: int) -> float:
    """Measure once it hears and has warmed up, for as long as sound is sure to come."""
    with Listening(bundle, f"exec:{shlex.join([*FEEDER, str(raw)])}") as listening:
        listening.wait_for("health listening")
        time.sleep(WARM_UP_SECONDS)
        before, began = listening.cpu_seconds(), time.monotonic()
        time.sleep(seconds - 3 * WARM_UP_SECONDS)
        return (listening.cpu_seconds() - before) / (time.monotonic() - began)


if __name__ == "__main__":
    run_script(main)
