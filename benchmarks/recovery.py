"""How soon `edgekws listen` notices that its microphone is gone, and hears it when it is back.

PulseAudio in user space is the sound system: its module is the microphone, unloading it the unplug
and loading it the plug. Times are from there to the line of the log that says so. A faint noise
is played into it, as every microphone has one.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final, Self

import numpy as np
from measure import ROOT, print_table, run_script

sys.path.insert(0, str(ROOT))
from tests.virtual_microphone import VirtualMicrophone, open_microphone

PATIENCE_SECONDS: Final = 60
LONGEST_ABSENCE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """One unplugging and plugging in again, in seconds."""

    noticed: float
    absent: float
    back: float


class Log:
    """The stderr of a daemon on a microphone, with the time of each line."""

    def __init__(self, microphone: VirtualMicrophone, bundle: Path | None) -> None:
        flags = [] if bundle is None else ["--bundle", str(bundle)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgekws", "listen", "--source", "mic:kitchen", *flags],
            env=dict(microphone.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._reader.join()

    def wait_for(self, words: str, *, since: float) -> float:
        """Return how long after a moment a line with these words came."""
        with self._changed:
            self._changed.wait_for(lambda: self._found(words, since), PATIENCE_SECONDS)
        times = self._found(words, since)
        if not times:
            sys.exit(f"recovery.py: {words!r} was not said: {self._lines[-3:]}")
        return times[0] - since

    def _found(self, words: str, since: float) -> list[float]:
        return [moment for moment, line in self._lines if moment >= since and words in line]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._lines.append((time.monotonic(), line.rstrip()))
                self._changed.notify_all()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="as for edgekws listen")
    parser.add_argument("--turns", type=int, default=20, help="how often it is unplugged")
    args = parser.parse_args()
    with ExitStack() as closing:
        microphone = closing.enter_context(open_microphone())
        noise = closing.enter_context(ExitStack())
        noise.enter_context(microphone.room_noise())
        log = closing.enter_context(Log(microphone, args.bundle))
        log.wait_for("health listening", since=0.0)
        absences = np.random.default_rng(1).uniform(0, LONGEST_ABSENCE_SECONDS, args.turns)
        turns = [turn(microphone, noise, log, absent) for absent in absences]
    for one in turns:
        print(json.dumps(asdict(one)))
    named = (
        ("noticed", [one.noticed for one in turns]),
        ("heard again", [one.back for one in turns]),
    )
    rows = [(name, f"{median(s):.2f} s", f"{max(s):.2f} s") for name, s in named]
    print_table(("", "median", "longest"), rows)
    return 0


def turn(microphone: VirtualMicrophone, noise: ExitStack, log: Log, absent: float) -> Turn:
    """Unplug it, wait, and plug it in again."""
    begun = time.monotonic()
    microphone.unplug()
    noise.close()
    noticed = log.wait_for("source lost: ", since=begun)
    time.sleep(absent)
    begun = time.monotonic()
    microphone.plug_in()
    noise.enter_context(microphone.room_noise())
    back = log.wait_for("source back", since=begun)
    return Turn(round(noticed, 2), round(float(absent), 2), round(back, 2))


if __name__ == "__main__":
    run_script(main)
