"""Brings pinned files of the package index by pip, held to their hashes; nothing is installed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def pip_download(pins: Path, into: Path, flags: Sequence[str], *, timeout_seconds: int) -> str:
    """Fill a folder with the wheels that `pins` names; return why not in pip's own words, or ""."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    argv += ["--only-binary=:all:", "--no-deps", "--require-hashes", *flags]
    argv += ["--dest", str(into), "--requirement", str(pins)]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"pip took more than {timeout_seconds} s"
    return _reason(done.stderr) if done.returncode else ""


def _reason(said: str) -> str:
    """Return pip's last error, or its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["pip said nothing"]
    errors = [line for line in lines if line.startswith("ERROR: ")] or lines
    return errors[-1].removeprefix("ERROR: ")
