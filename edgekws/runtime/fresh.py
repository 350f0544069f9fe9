"""Runs the probe in a fresh process: what loading costs shows only where nothing is loaded yet."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from edgekws.errors import EdgekwsError
from edgekws.runtime.probe import Probe

TIMEOUT_SECONDS: Final = 120


def probe_fresh(bundle: Path, key: str) -> Probe:
    """Run `probe` on one model file by the command line, in a fresh process."""
    argv = [sys.executable, "-m", "edgekws", "bench", "--probe"]
    argv += ["--bundle", str(bundle), "--engine", key]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise EdgekwsError(f"bench: a fresh process could not load {bundle}: {error}") from error
    return msgspec.convert(json.loads(done.stdout), Probe)
