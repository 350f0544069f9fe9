"""Compilers and emulators for tests of the firmware, and programs built and run with them."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.needs import lacking

ROOT: Final = Path(__file__).resolve().parents[1]
FIRMWARE: Final = ROOT / "firmware_bridge"
QEMU: Final = FIRMWARE / "port" / "qemu"
PATIENCE_SECONDS: Final = 120.0
PACKAGES: Final = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "gcc": "gcc libc6-dev",
    "clang": "clang libclang-rt-dev",
    "cppcheck": "cppcheck",
    "cmake": "cmake",
}


def tool(name: str) -> str:
    """Return the path of a program; without it fail in CI, elsewhere skip with its apt line."""
    found = shutil.which(name)
    if found is None:
        lacking(f"needs {name}: apt-get install {PACKAGES[name]}")
    return found


def run(argv: Sequence[object], *, cwd: Path = ROOT, stdin: bytes = b"") -> str:
    """Run a program that has to succeed; return its stdout and stderr."""
    done = subprocess.run(
        [str(each) for each in argv],
        cwd=cwd,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{argv[0]} ended with {done.returncode}: {text}"
    return text


def make_variable(name: str, *, of: Path = QEMU / "qemu.mk") -> list[str]:
    """Return the words of a variable that a makefile defines."""
    command = ["make", "-s", "-f", of, "--eval"]
    return run([*command, f"print: ; @echo $({name})", "print"]).split()
