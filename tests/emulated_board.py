"""The example firmware on an emulated Cortex-M3: its UART, its log, its reset button."""

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from tests.firmware_tools import FIRMWARE, PATIENCE_SECONDS, make_variable, run, tool

_LOOK_SECONDS: Final = 0.005


def build_firmware(folder: Path, *, labels: Path | None = None) -> Path:
    """Compile the firmware; `labels` is the folder of another ekws_labels.h than the shipped."""
    tool("arm-none-eabi-gcc")
    program = folder / "mps2_an385.elf"
    chosen = [f"LABELS={labels}"] if labels else []
    run(["make", "-s", "-C", FIRMWARE, f"BUILD={folder}", *chosen, program])
    return program


class EmulatedBoard:
    """QEMU's mps2-an385; `uart` is the socket of the link. Time on the board is real time."""

    def __init__(self, program: Path, folder: Path) -> None:
        tool("qemu-system-arm")
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log"
        paths = [folder / "uart", folder / "monitor"]
        uart, monitor = (f"unix:{path},server=on,wait=off" for path in paths)
        flags = ["-serial", uart, "-serial", f"file:{self._log}", "-qmp", monitor]
        self._process = subprocess.Popen(
            [*make_variable("QEMU_RUN_m3"), *flags, "-kernel", str(program)],
            stdin=subprocess.DEVNULL,
        )
        self.uart, self._monitor = (self._connect(path) for path in paths)
        self._answers = self._monitor.makefile()
        self._ask("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)
        self._answers.close()
        self._monitor.close()
        self.uart.close()

    def reset(self) -> None:
        """Press the reset button: everything but the count of boots is forgotten."""
        self._ask("system_reset")

    def log(self) -> list[str]:
        """Return the whole lines of the board's log so far."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    def wait_for(self, line: str) -> float:
        """Return when a line of the log begins with these words, as seconds waited."""
        begin = time.monotonic()
        while not any(each.startswith(line) for each in self.log()):
            assert time.monotonic() - begin < PATIENCE_SECONDS, f"{line!r} is not in {self.log()}"
            time.sleep(_LOOK_SECONDS)
        return time.monotonic() - begin

    def _ask(self, command: str) -> None:
        self._monitor.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while "return" not in json.loads(self._answers.readline()):
            pass

    def _connect(self, path: Path) -> socket.socket:
        """Connect to a socket that QEMU is about to make."""
        end = time.monotonic() + PATIENCE_SECONDS
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        while True:
            try:
                link.connect(str(path))
                return link
            except OSError:
                assert self._process.poll() is None, "the emulator ended"
                assert time.monotonic() < end, "the emulator does not open its sockets"
                time.sleep(_LOOK_SECONDS)
