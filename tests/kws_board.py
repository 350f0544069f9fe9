"""The firmware of a bundle on an emulated board: golden audio in, detections and costs out."""

import re
from pathlib import Path
from typing import Final

from tests.firmware_tools import FIRMWARE, run, tool
from tests.kws_firmware import Firmware, Place

_DETECTION: Final = re.compile(r"detection (\d+) score (\d+) (.+)")


def run_on_board(firmware: Firmware, board: str, folder: Path, *, front_end: str) -> list[str]:
    """Build for "m3", "m4" or "m55" and run; return the lines of the UART, then those of the map.

    It is what docs/microcontroller.md says to type. The board ends with 0 where every golden check
    passed, or this fails.
    """
    tool("arm-none-eabi-gcc")
    tool("qemu-system-arm")
    names = {"FIRMWARE": firmware.folder, "BOARD": board, "BUILD": folder, "FRONT_END": front_end}
    words = [f"{name}={value}" for name, value in names.items()]
    return run(["make", "-s", "-C", FIRMWARE / "kws", "qemu", "size", *words]).splitlines()


def places_of(lines: list[str]) -> list[Place]:
    """Return the detections that a board tells of."""
    found = (_DETECTION.fullmatch(line) for line in lines)
    return [(match[3], int(match[1])) for match in found if match]


def figures_of(lines: list[str], kind: str) -> dict[str, int]:
    """Return names and numbers of the line that begins with a word."""
    (line,) = [line for line in lines if line.startswith(f"{kind} ")]
    words = line.split()[1:]
    return {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}
