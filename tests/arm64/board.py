"""A Raspberry Pi's system without a Pi: Debian for arm64 in a folder, run by qemu in a namespace.

The kernel is told about arm64 programs in a user namespace of its own (Linux 6.7 or newer): what is
registered there is gone with the last process in it, and the machine's own table is not touched.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUITE: Final = "trixie"
PACKAGES: Final = (
    *("python3", "python3-venv", "python3-pyaudio", "libstdc++6", "libgomp1", "libgcc-s1"),
    *("dash", "coreutils", "sed", "grep", "findutils", "util-linux", "passwd", "ca-certificates"),
)
PYTHON: Final = "3.13"
TOOLS: Final = {"qemu-aarch64-static": "qemu-user-static", "mmdebstrap": "mmdebstrap"}
OLDEST_KERNEL: Final = (6, 7)  # its table of program formats is one for each user namespace
QEMU_CPU: Final = "cortex-a76"  # of a Raspberry Pi 5
BUILD_SECONDS: Final = 300
RUN_SECONDS: Final = 400

REGISTRATION: Final = (
    r":edgekws-arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:{qemu}:PF"
)
ENTER: Final = """
set -eu
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' "$1" >/proc/sys/fs/binfmt_misc/register
mount --rbind /dev "$2/dev"
mount -t proc none "$2/proc"
root=$2
shift 2
exec chroot "$root" "$@"
"""
"""Arguments: the registration, the root, then what to run in it. /proc is that of the namespace."""


def require_emulator() -> None:
    """Fail, saying what to do, where this machine cannot emulate a board."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    assert not missing, f"apt-get install {' '.join(missing)}"
    assert os.getuid() == 0, "run it as root: Debian's packages are unpacked with their owners"
    kernel = tuple(map(int, os.uname().release.split(".")[:2]))
    assert kernel >= OLDEST_KERNEL, f"needs Linux {OLDEST_KERNEL}, this is {kernel}"


@dataclass(frozen=True, slots=True)
class Board:
    """A root folder with an arm64 system in it."""

    root: Path

    def run(self, *argv: object, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a program of the board to its end; it sees no network."""
        qemu = shutil.which("qemu-aarch64-static")
        enter = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--net"]
        enter += ["--mount-proc", "--kill-child", "sh", "-c", ENTER, "enter"]
        enter += [REGISTRATION.format(qemu=qemu), str(self.root), *map(str, argv)]
        return subprocess.run(
            enter,
            env={
                "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "QEMU_CPU": QEMU_CPU,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=check,
        )


def fresh_board(folder: Path) -> Board:
    """Return a board that was never used; the system is made once per machine and then copied."""
    root = folder / "board"
    subprocess.run(["cp", "--archive", "--reflink=auto", _cached_system(), root], check=True)
    return Board(root)


def _cached_system() -> Path:
    digest = hashlib.sha256(" ".join([SUITE, *PACKAGES]).encode()).hexdigest()[:12]
    cached = Path(tempfile.gettempdir()) / f"edgekws-arm64-{os.getuid()}-{digest}"
    if not cached.is_dir():
        partial = Path(tempfile.mkdtemp(prefix=f"{cached.name}.", dir=cached.parent))
        try:
            _make_system(partial / "root")
            (partial / "root").rename(cached)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return cached


def _make_system(root: Path) -> None:
    """Unpack Debian's packages, and do what of their scripts is needed: none of them runs."""
    include = f"--include={','.join(PACKAGES)}"
    argv = ["mmdebstrap", "--quiet", "--architectures=arm64", "--variant=extract", include]
    subprocess.run([*argv, SUITE, root, *_mirror()], timeout=BUILD_SECONDS, check=True)
    for name in ("bin", "sbin", "lib"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("proc", "sys/devices/system/cpu", "root", "var/lib", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present", "online"):  # XNNPACK counts the cores
        (root / "sys/devices/system/cpu" / name).write_text("0\n")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\naudio:x:29:\n")
    (root / "etc/shadow").touch()
    (root / "etc/gshadow").touch()
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    together = root / "etc/ssl/certs/ca-certificates.crt"  # pip does not start without
    together.write_bytes(b"".join(path.read_bytes() for path in certificates))


def _mirror() -> Iterator[str]:
    """Give the mirror that this machine's own packages come from, if it is a Debian."""
    for path in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        for line in path.read_text().splitlines():
            if line.startswith("URIs:") and "debian" in line and "security" not in line:
                yield line.split()[1]
                return
