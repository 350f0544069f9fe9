"""`edgekws listen` with rules: what is heard is told, and only what may be done is done."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile

from edgekws.events import Pcm
from tests.bundles import make_bundle, noise, tone, tone_hz
from tests.commands import edgekws, run_text

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


def test_a_tone_that_nobody_said_is_held(tmp_path: Path, bundle: Path) -> None:
    done = listen(tmp_path, bundle, "[voice]\n", "yes")
    assert told(done.lines) == [(1, "hold")]
    assert done.lines[1]["reason"] == "nobody spoke"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path, bundle: Path) -> None:
    """The program is not even looked for: a dry run is for a laptop too."""
    command = '[[commands]]\nlabel = "yes"\nsink = "process"\nargv = ["/nowhere/lamp"]\n'
    done = listen(tmp_path, bundle, command, "yes", "no", flags=("--dry-run",))
    results = [line for line in done.lines if line["event"] == "dispatch"]
    # a thread for each sink: which of them tells first is nobody's promise
    assert sorted((line["sink"], line["status"], line["detail"]) for line in results) == [
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
    lines = [json.loads(x) for x in (tmp_path / "journal").read_text().splitlines()]
    (line,) = [x for x in lines if x["event"] != "health"]
    assert (line["event"], line["label"], line["on"]) == ("near_miss", "yes", 0.7)
    assert 1.0 < line["time_seconds"] < 1.5


def test_the_sound_of_near_misses_is_kept_played_labelled_and_deleted(
    tmp_path: Path, bundle: Path
) -> None:
    text = (
        '[captures]\nfolder = "kept"\nkey_file = "key"\n[triggers."yes"]\nconsecutive = 1000\n'
        '[triggers."no"]\nconsecutive = 1000\n'
    )
    listen(tmp_path, bundle, text, "yes", "no")

    def captures(*args: object) -> list[dict[str, Any]]:
        done = edgekws("captures", *args, "--config", tmp_path / "listen.toml", cwd=tmp_path)
        assert done.code == 0, done.stderr
        return done.lines

    first, second = captures("list")
    assert [first["label"], second["label"]] == ["yes", "no"]
    captures("play", first["id"], "--player", "sh -c 'cat > heard.wav'")
    pcm, rate = soundfile.read(tmp_path / "heard.wav", dtype="int16")
    assert rate == 16_000
    assert loudest_hz(pcm) == pytest.approx(tone_hz("yes"), abs=5)
    captures("label", first["id"], "_unknown_")
    captures("delete", second["id"])
    (left,) = captures("list")
    assert (left["id"], left["said"]) == (first["id"], "_unknown_")
    done = run_text("captures", "export", tmp_path / "out", "--config", tmp_path / "listen.toml")
    path = tmp_path / "out" / "_unknown_" / f"{first['id']}.wav"
    assert done.stdout == f"{path}\n"
    assert soundfile.read(path, dtype="int16")[0].tolist() == pcm.tolist()
    captures("delete", "--all")
    assert list((tmp_path / "kept").iterdir()) == []


def test_without_the_table_no_sound_is_kept(tmp_path: Path, bundle: Path) -> None:
    listen(tmp_path, bundle, '[near_misses]\n[triggers."yes"]\nconsecutive = 1000\n', "yes")
    assert [path.name for path in tmp_path.iterdir()] == ["listen.toml"]
    done = edgekws("captures", "list", "--config", tmp_path / "listen.toml")
    assert done.code == 3
    assert "there is no [captures]: nothing is kept" in done.error


def loudest_hz(pcm: Pcm) -> float:
    spectrum = np.abs(np.fft.rfft(pcm))
    return float(np.argmax(spectrum)) * 16_000 / len(pcm)
