"""The whole pipe on speech: what was adapted and exported hears its commands and acts on them."""

import csv
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest

from edgekws.audio.decode import read_audio
from tests.commands import edgekws
from tests.small_runs import COMMANDS
from tests.speech import Speech, write_wav
from tests.training import RATE

HEARD: Final = 0.5
"""Least share of commands that the tiny net hears; on the clips it learned from 0.75 and more was
measured, with real and with synthesized speech."""
LATENESS_SECONDS: Final = 1.0  # a detection counts until so long after the command's end
EACH: Final = 4


class Recording(NamedTuple):
    """A WAV file with commands, and (start second, end second, label) of each."""

    path: Path
    truth: list[tuple[float, float, str]]


@pytest.fixture(scope="module")
def recording(
    training_data: Path, speech: Speech, tmp_path_factory: pytest.TempPathFactory
) -> Recording:
    """Commands that the net has learned from, two seconds apart in the noise of a room."""
    order = [(label, turn) for turn in range(EACH) for label in COMMANDS]
    pcm = speech.noise((3 * len(order) + 3) * RATE) // 4
    truth = []
    for place, (label, turn) in enumerate(order):
        clip = read_audio(sorted((training_data / label).iterdir())[turn], sample_rate=RATE)
        start = (3 * place + 2) * RATE
        pcm[start : start + len(clip)] = np.clip(
            pcm[start : start + len(clip)].astype(int) + clip, -32768, 32767
        )
        truth.append((start / RATE, (start + len(clip)) / RATE, label))
    path = tmp_path_factory.mktemp("pipeline") / "recording.wav"
    return Recording(write_wav(path, pcm), truth)


def test_clips_are_classified(exported: Path, training_data: Path) -> None:
    files = [path for label in COMMANDS for path in sorted((training_data / label).iterdir())[:8]]
    done = edgekws("classify", "--bundle", exported, *files)
    assert done.code == 0, done.stderr
    assert [line["path"] for line in done.lines] == [str(path) for path in files]
    right = [line["label"] == Path(line["path"]).parent.name for line in done.lines]
    assert np.mean(right) > HEARD
    for line in done.lines:
        assert sum(line["scores"].values()) == pytest.approx(1, abs=1e-3)
        assert line["score"] == max(line["scores"].values())


def test_a_tree_is_evaluated(exported: Path, training_data: Path) -> None:
    done = edgekws("eval", "--bundle", exported, "--data", training_data)
    assert done.code == 0, done.stderr
    (figures,) = done.lines
    spoken = sum(1 for label in (*COMMANDS, "_unknown_") for _ in (training_data / label).iterdir())
    assert figures["clips"] >= spoken
    assert figures["accuracy"] > HEARD


def test_a_recording_becomes_detections_and_dispatches(
    exported: Path, recording: Recording, tmp_path: Path
) -> None:
    log = tmp_path / "acted"
    sink = f"process:sh -c 'echo $EDGEKWS_LABEL >> {log}'"
    done = edgekws(
        "listen", "--bundle", exported, "--source", f"wav:{recording.path}", "--sink", sink
    )
    assert done.code == 0, done.stderr
    detections = [line for line in done.lines if line["event"] == "detection"]
    assert share_heard(detections, recording) > HEARD
    for detection in detections:
        (result,) = [
            line
            for line in done.lines
            if line["event"] == "dispatch" and line["id"] == detection["id"]
        ]
        assert (result["label"], result["status"]) == (detection["label"], "done")
        assert done.lines.index(result) > done.lines.index(detection)
    assert Counter(log.read_text().split()) == Counter(line["label"] for line in detections)


def share_heard(detections: list[dict[str, object]], recording: Recording) -> float:
    """Return the share of commands with a detection of their label in time."""
    heard = [
        any(
            line["label"] == label
            and start <= float(str(line["time_seconds"])) <= end + LATENESS_SECONDS
            for line in detections
        )
        for start, end, label in recording.truth
    ]
    return float(np.mean(heard))


def test_the_stream_evaluation_counts_what_listen_hears(
    exported: Path, recording: Recording, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.csv"
    with truth.open("w", newline="") as table:
        csv.writer(table).writerows([("start_seconds", "end_seconds", "label"), *recording.truth])
    done = edgekws("eval", "--bundle", exported, "--stream", recording.path, "--truth", truth)
    assert done.code == 0, done.stderr
    (figures,) = done.lines
    listened = edgekws("listen", "--bundle", exported, "--source", f"wav:{recording.path}")
    detections = [line for line in listened.lines if line["event"] == "detection"]
    assert figures["detections"] == len(detections)
    missed = 1 - share_heard(detections, recording)
    assert np.mean(list(figures["miss_rate"].values())) == pytest.approx(missed)
    assert figures["commands"] == dict.fromkeys(sorted(COMMANDS), EACH)
