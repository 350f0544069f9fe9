"""Prints raw samples as a microphone gives them: a step of 80 ms at a time, each when it is due.

python feeder.py RAW
"""

import contextlib
import sys
import time
from pathlib import Path
from typing import Final

STEP_SECONDS: Final = 0.08
STEP_BYTES: Final = 2560


def main(raw: Path) -> None:
    """Print the file once, in real time."""
    began, data = time.monotonic(), raw.read_bytes()
    for number, start in enumerate(range(0, len(data), STEP_BYTES), 1):
        time.sleep(max(0.0, began + number * STEP_SECONDS - time.monotonic()))
        sys.stdout.buffer.write(data[start : start + STEP_BYTES])
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # whoever listens has heard enough
        main(Path(sys.argv[1]))
