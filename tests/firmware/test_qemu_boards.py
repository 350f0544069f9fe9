"""The emulated boards of firmware_bridge/port/qemu start, talk, keep time and end."""

import subprocess
from pathlib import Path

import pytest

from tests.firmware_tools import FIRMWARE, PATIENCE_SECONDS, make_variable, run, tool

FACTOR_DOUBLED = 3  # board_check.c: 1.5 from .data times 2, in the FPU where there is one


@pytest.mark.parametrize("board", ["m3", "m4", "m55"])
def test_a_board_starts_echoes_and_ends_with_its_exit_code(board: str, tmp_path: Path) -> None:
    program = tmp_path / "check.elf"
    source = FIRMWARE / "tests" / "board_check.c"
    flags, sources = make_variable(f"QEMU_FLAGS_{board}"), make_variable("QEMU_SOURCES")
    compiler = tool("arm-none-eabi-gcc")
    run([compiler, *flags, "-o", program, source, *sources, *make_variable("QEMU_LINK")])
    tool("qemu-system-arm")
    log = tmp_path / "uart1"
    uarts = ["-serial", "stdio", "-serial", f"file:{log}"]
    done = subprocess.run(
        [*make_variable(f"QEMU_RUN_{board}"), *uarts, "-kernel", str(program)],
        input=b"\x00\xffecho q",
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == FACTOR_DOUBLED, done.stderr
    assert (done.stdout, log.read_text(), done.stderr) == (b"\x00\xffecho ", "ready\n", b"bye\n")
