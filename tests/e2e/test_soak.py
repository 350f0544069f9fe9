"""The soak of `make soak` in short: the whole daemon twice over the same audio."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np

from tests.bundles import make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, ROOT, environment, write_wav

FAST_SECONDS: Final = 60
REAL_SECONDS: Final = 10
MOST_MB_PER_HOUR: Final = 80  # 1.2 MB in a minute: first calls allocate, an hour is `make soak`
LINE_MS: Final = 20  # promised, from the step that decides to the line (p99)
MORE_MEMORY: Final = 1.1  # than the detector alone takes; promised
LOADED: Final = 10  # so many times slower may a machine be that runs other tests beside


def test_nothing_leaks_or_is_lost_and_lines_are_soon(tmp_path: Path) -> None:
    sound = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1), tone("no")))
    wav = write_wav(tmp_path / "a.wav", sound)
    lengths = ("--fast-seconds", FAST_SECONDS, "--real-seconds", REAL_SECONDS)
    flags = ("--bundle", make_bundle(tmp_path / "tones"), "--audio", wav, *lengths)
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "soak.py"]
        + [str(flag) for flag in (*flags, "--most-mb-per-hour", MOST_MB_PER_HOUR)],
        env=environment(),
        capture_output=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    fast, real, both = [json.loads(line) for line in done.stdout.splitlines()]
    assert both["same_detections"]
    assert (fast["lost_samples"], fast["gaps"], real["lost_samples"], real["gaps"]) == (0, 0, 0, 0)
    assert fast["detections"] == 2 * FAST_SECONDS // 4
    assert fast["rss_mb"] < MORE_MEMORY * both["bare_rss_mb"]
    assert real["line_ms_p99"] < LOADED * LINE_MS
