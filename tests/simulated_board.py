"""The example firmware as a program on a pseudo-terminal: firmware_bridge/port/posix."""

import subprocess
import time
from pathlib import Path
from typing import Final, Self

from tests.firmware_tools import FIRMWARE, PATIENCE_SECONDS, run, tool

_LOOK_SECONDS: Final = 0.005


def build_simulator(folder: Path, *, labels: Path | None = None) -> Path:
    """Compile the simulator; `labels` is the folder of another ekws_labels.h than the shipped."""
    program = folder / "simulator"
    chosen = [f"LABELS={labels}"] if labels else []
    compiler = f"CC={tool('gcc')}"
    run(["make", "-s", "-C", FIRMWARE, f"BUILD={folder}", compiler, *chosen, program])
    return program


class SimulatedBoard:
    """A running simulator; `port` is the path of its serial port."""

    def __init__(self, program: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [program], stdin=subprocess.PIPE, stdout=out, bufsize=0
            )
        self.port = Path(self.wait_for("port").split()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_SECONDS)

    def reset(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def log(self) -> list[str]:
        text = self._log.read_text()
        return text[: text.rfind("\n") + 1].splitlines()

    def wait_for(self, words: str, *, times: int = 1) -> str:
        """Return the first line of the log that begins so, once there are so many of them."""
        end = time.monotonic() + PATIENCE_SECONDS
        while len(found := [line for line in self.log() if line.startswith(words)]) < times:
            assert time.monotonic() < end, f"{words!r} is not in {self.log()}"
            assert self._process.poll() is None, "the simulator ended"
            time.sleep(_LOOK_SECONDS)
        return found[0]
