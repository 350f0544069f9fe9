"""`edgekws listen` with rules: what is heard is told, and only what may be done is done."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests.bundles import make_bundle, noise, tone
from tests.commands import edgekws

RULES: Final = """
[rules."no"]
after = "yes"
within_seconds = 3
[rules."开灯"]
confirm = true
confirm_seconds = 4
"""
ALWAYS: Final = 'quiet = ["00:00-12:00", "12:00-00:00"]'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("decisions") / "tones")


def speech(*labels: str) -> bytes:
    """Return commands of half a second, one each 1.5 s."""
    parts = [part for x in labels for part in (noise(seconds=1), tone(x, seconds=0.5))]
    return np.concatenate((*parts, noise(seconds=2))).tobytes()


def listen(folder: Path, bundle: Path, text: str, *said: str, flags: tuple[str, ...] = ()) -> Any:
    config = folder / "listen.toml"
    config.write_text(f'bundle = "{bundle}"\n{text}', encoding="utf-8")
    args = ("listen", "--source", "-", "--config", config, *flags)
    done = edgekws(*args, stdin=speech(*said))
    assert done.code == 0, done.stderr
    return done


def told(lines: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return id and what is told: a verdict that is not to act, or the status of a dispatch."""
    rest = [line for line in lines if line["event"] != "detection"]
    return [(line["id"], line.get("verdict") or line["status"]) for line in rest]


def test_a_wake_word_and_a_confirmation_are_waited_for(tmp_path: Path, bundle: Path) -> None:
    said = ("no", "yes", "no", "开灯", "开灯", "开灯")
    done = listen(tmp_path, bundle, RULES, *said)
    labels = [line["label"] for line in done.lines if line["event"] == "detection"]
    assert labels == list(said)
    assert sorted(told(done.lines)) == [
        (1, "hold"),
        (2, "done"),
        (3, "done"),
        (4, "wait"),
        (5, "done"),
        (6, "wait"),
    ]
    reasons = {line["id"]: line["reason"] for line in done.lines if line["event"] == "decision"}
    assert reasons[1] == 'no "yes" within 3 s before'
    assert reasons[4] == 'say "开灯" within 4 s'


def test_in_quiet_hours_nothing_is_done(tmp_path: Path, bundle: Path) -> None:
    done = listen(tmp_path, bundle, f'[rules."*"]\n{ALWAYS}', "yes", "no")
    assert told(done.lines) == [(1, "hold"), (2, "hold")]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path, bundle: Path) -> None:
    """The program is not even looked for: a dry run is for a laptop too."""
    command = '[[commands]]\nlabel = "yes"\nsink = "process"\nargv = ["/nowhere/lamp"]\n'
    done = listen(tmp_path, bundle, command, "yes", "no", flags=("--dry-run",))
    results = [line for line in done.lines if line["event"] == "dispatch"]
    assert [(line["sink"], line["status"], line["detail"]) for line in results] == [
        ("process", "dropped", "dry run"),
        ("stdout", "dropped", "dry run"),
    ]


def test_a_near_miss_is_told_on_stderr_and_in_the_journal(tmp_path: Path, bundle: Path) -> None:
    text = (
        '[near_misses]\nfraction = 0.5\n[journal]\npath = "journal"\n'
        '[triggers."yes"]\nconsecutive = 1000\n'
    )
    done = listen(tmp_path, bundle, text, "yes")
    assert done.lines == []
    assert "near miss id=1 label=yes peak=1.00 on=0.70 sample=" in done.stderr
    (line,) = [json.loads(x) for x in (tmp_path / "journal").read_text().splitlines()]
    assert (line["event"], line["label"], line["on"]) == ("near_miss", "yes", 0.7)
    assert 1.0 < line["time_seconds"] < 1.5
