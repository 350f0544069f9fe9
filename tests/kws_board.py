"""The firmware of a bundle on an emulated board: golden audio in, lines of its UART out."""

import re
from pathlib import Path
from typing import Final

from tests.firmware_tools import FIRMWARE, make_variable, run, tool
from tests.kws_firmware import Firmware, Place

_DETECTION: Final = re.compile(r"detection (\d+) score (\d+) (.+)")


def build_program(firmware: Firmware, board: str, folder: Path) -> Path:
    """Compile the firmware with its golden checks for "m3", "m4" or "m55", a map file beside it."""
    path = folder / "kws.elf"
    source, tests = firmware.folder / "src", firmware.folder / "tests"
    sources = [*sorted(source.glob("*.c")), tests / "golden_check.c", tests / "golden_vectors.c"]
    flags = [*make_variable(f"QEMU_FLAGS_{board}"), "-O2", f"-I{source}", f"-I{tests}"]
    link = [*make_variable("QEMU_SOURCES"), *make_variable("QEMU_LINK"), "-lm"]
    main = FIRMWARE / "kws" / "port" / "qemu_kws.c"
    maps = f"-Wl,-Map={path.with_suffix('.map')}"
    run([tool("arm-none-eabi-gcc"), *flags, "-o", path, main, *sources, *link, maps])
    return path


def run_program(program: Path, board: str) -> list[str]:
    """Return the lines of the board's UART; it ends with 0 where every golden check passed."""
    tool("qemu-system-arm")
    argv = [*make_variable(f"QEMU_RUN_{board}"), "-icount", "shift=0", "-serial", "stdio"]
    return run([*argv, "-kernel", program]).splitlines()


def places_of(lines: list[str]) -> list[Place]:
    """Return the detections that a board tells of."""
    found = (_DETECTION.fullmatch(line) for line in lines)
    return [(match[3], int(match[1])) for match in found if match]
