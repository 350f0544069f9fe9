"""The demo's speech and its judgement: strangers in the recording, every difference named."""

import csv
import wave
from pathlib import Path

import numpy as np
import pytest

from edgekws.cli.demo import Heard, judge
from edgekws.errors import EdgekwsError
from edgekws.specs import UNKNOWN
from edgekws.train.demo import CLOSE, SPOKEN, STRANGERS, Placed, write_data, write_recording
from edgekws.train.synth import SAMPLE_RATE, Synthesizer, open_synthesizer
from edgekws.train.synth_espeak import VARIANTS

TRUTH = (Placed("开灯", 16_000, 24_000), Placed("关灯", 48_000, 58_000))


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return open_synthesizer()


def test_the_voices_of_the_recording_are_not_learned_from(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    counts = write_data(tmp_path, synthesizer, seed=1)
    assert set(counts) == {*SPOKEN, UNKNOWN}
    for label, count in counts.items():
        names = [path.name for path in (tmp_path / label).iterdir()]
        assert len(names) == count >= 40
        variants = {name.partition("_nohash_")[0].partition("-")[2] for name in names}
        assert not {v.rpartition("-")[2] for v in variants} & set(STRANGERS)
    assert set(STRANGERS) <= set(VARIANTS)


def test_no_other_text_is_a_command() -> None:
    commands = {text.casefold() for said in SPOKEN.values() for text in said.values()}
    texts = [text.casefold() for group in CLOSE.values() for text in group]
    assert not [text for text in texts if any(command in text for command in commands)]


def test_the_recording_holds_each_command_twice_where_its_truth_says(
    synthesizer: Synthesizer, tmp_path: Path
) -> None:
    path = tmp_path / "recording.wav"
    placed = write_recording(path, synthesizer, seed=2)
    assert sorted(each.label for each in placed) == sorted([*SPOKEN, *SPOKEN])
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    for each in placed:
        pause = pcm[each.end + 1000 : each.end + 10_000]
        assert pcm[each.start : each.end].std() > 2 * pause.std() > 0
    with path.with_suffix(".csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [row["label"] for row in rows] == [each.label for each in placed]
    starts = [float(row["start_seconds"]) * SAMPLE_RATE for row in rows]
    assert np.allclose(starts, [each.start for each in placed], atol=SAMPLE_RATE / 1000)


def test_all_commands_heard_in_time_pass() -> None:
    judge(TRUTH, [Heard(1, "开灯", 24_500), Heard(2, "关灯", 70_000)])


@pytest.mark.parametrize(
    ("heard", "named"),
    [
        ([], "missed: 开灯 at 1.0 s, 关灯 at 3.0 s; heard but not said: nothing"),
        ([Heard(1, "开灯", 24_500)], "missed: 关灯 at 3.0 s"),
        ([Heard(1, "关灯", 24_500), Heard(2, "关灯", 59_000)], "not said: 关灯 at 1.5 s"),
        ([Heard(1, "开灯", 24_500), Heard(2, "关灯", 80_000)], "not said: 关灯 at 5.0 s"),
        (
            [Heard(1, "开灯", 20_000), Heard(2, "开灯", 24_500), Heard(3, "关灯", 59_000)],
            "missed: nothing; heard but not said: 开灯",
        ),
    ],
)
def test_what_was_missed_or_misheard_is_named(heard: list[Heard], named: str) -> None:
    with pytest.raises(EdgekwsError, match=named):
        judge(TRUTH, heard)
