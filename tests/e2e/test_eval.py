"""`edgekws eval` as a process: figures over clips and over a stream."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import LABELS, make_bundle, noise, tone
from tests.commands import edgekws, write_wav


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("eval") / "tones")


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour's hundredth: "yes" at 2 s, "no" at 10 s and at 20 s, noise between."""
    pcm = noise(seconds=36)
    for label, start in (("yes", 2), ("no", 10), ("no", 20)):
        pcm[start * 16_000 : start * 16_000 + 16_000] = tone(label)
    return write_wav(tmp_path_factory.mktemp("stream") / "stream.wav", pcm)


def write_truth(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("start_seconds,end_seconds,label", *rows)) + "\n", encoding="utf-8")
    return path


def test_clips_are_counted_by_folder(bundle: Path, tmp_path: Path) -> None:
    for number in range(3):
        write_wav(tmp_path / "yes" / f"{number}.wav", tone("yes"))
        write_wav(tmp_path / "开灯" / "speaker" / f"{number}.WAV", tone("开灯"))
    write_wav(tmp_path / "no" / "really_yes.wav", tone("yes"))
    write_wav(tmp_path / "marvin" / "0.wav", noise())  # no label of the bundle: unknown
    write_wav(tmp_path / "_background_noise_" / "room.wav", noise(seconds=3.5, level=1.0))
    (tmp_path / "_background_noise_" / "README.md").write_text("about the noise")
    write_wav(tmp_path / "loose.wav", noise())
    done = edgekws("eval", "--bundle", bundle, "--data", tmp_path)
    assert done.code == 0, done.stderr
    (report,) = done.lines
    figures = ["accuracy", "macro_f1", "per_label", "confusion", "clips", "per_language"]
    assert list(report) == figures
    assert report["per_language"] == {}
    assert report["clips"] == 3 + 3 + 1 + 1 + 3
    assert report["accuracy"] == pytest.approx(10 / 11)
    assert report["confusion"]["no"]["yes"] == 1
    assert report["confusion"]["_unknown_"]["_unknown_"] == 1
    assert report["per_label"]["_silence_"] == {
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "clips": 3,
    }
    assert list(report["per_label"]) == list(LABELS)


def test_a_stream_is_judged_against_its_truth(bundle: Path, stream: Path, tmp_path: Path) -> None:
    truth = write_truth(
        tmp_path / "truth.csv", "2.0,3.0,yes", "10.0,11.0,no", "30.0,31.0,开灯", "5,6,_unknown_"
    )
    done = edgekws("eval", "--bundle", bundle, "--stream", stream, "--truth", truth)
    assert done.code == 0, done.stderr
    (report,) = done.lines
    assert report["miss_rate"] == {"no": 0.0, "yes": 0.0, "开灯": 1.0}
    assert report["hours"] == pytest.approx(0.01)
    assert report["false_accepts"] == {"no": 1}
    assert report["false_accepts_per_hour"] == pytest.approx(100.0)
    assert -1.0 < report["delay_seconds"]["p50"] <= report["delay_seconds"]["p95"] < 1.0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1.0,2.0,marvin", "marvin"),
        ("one,2.0,yes", "start_seconds"),
        ("1.0,nan,yes", "end_seconds"),
        ("-1.0,2.0,yes", "start_seconds"),
        ("1.0", "end_seconds"),
        ("3.0,2.0,yes", "ends before"),
        ("99.0,100.0,yes", "after the end"),
    ],
)
def test_a_senseless_row_of_truth_is_named_by_its_line(
    bundle: Path, stream: Path, tmp_path: Path, row: str, words: str
) -> None:
    truth = write_truth(tmp_path / "truth.csv", "2.0,3.0,yes", row)
    done = edgekws("eval", "--bundle", bundle, "--stream", stream, "--truth", truth)
    assert (done.code, done.lines) == (4, [])
    assert "truth.csv:3" in done.error
    assert words in done.error


def test_a_truth_without_its_columns_is_refused(bundle: Path, stream: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    for text in ("", "2.0,3.0,yes\n", "start,end,label\n1,2,yes\n"):
        truth.write_text(text)
        done = edgekws("eval", "--bundle", bundle, "--stream", stream, "--truth", truth)
        assert done.code == 4
        assert "start_seconds, end_seconds, label" in done.error


def test_a_stream_without_commands_counts_false_accepts_only(
    bundle: Path, stream: Path, tmp_path: Path
) -> None:
    truth = write_truth(tmp_path / "truth.csv")
    (report,) = edgekws("eval", "--bundle", bundle, "--stream", stream, "--truth", truth).lines
    assert report["miss_rate"] == {}
    assert report["false_accepts"] == {"no": 2, "yes": 1}
    assert report["delay_seconds"] == {"p50": None, "p95": None}


@pytest.mark.parametrize("broken", ["missing", "empty", "no audio"])
def test_a_data_folder_without_audio_is_refused(bundle: Path, tmp_path: Path, broken: str) -> None:
    data = tmp_path / "data"
    if broken != "missing":
        data.mkdir()
    if broken == "no audio":
        (data / "yes").mkdir()
        (data / "yes" / "notes.txt").write_text("soon")
    done = edgekws("eval", "--bundle", bundle, "--data", data)
    assert (done.code, done.lines) == (4, [])
    assert str(data) in done.error


def test_a_broken_clip_is_named(bundle: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "yes" / "good.wav", tone("yes"))
    (tmp_path / "yes" / "zero.wav").touch()
    done = edgekws("eval", "--bundle", bundle, "--data", tmp_path)
    assert (done.code, done.lines) == (4, [])
    assert "zero.wav" in done.error


def test_stream_and_truth_go_together(bundle: Path, stream: Path) -> None:
    assert edgekws("eval", "--bundle", bundle, "--stream", stream).code == 2
    assert edgekws("eval", "--bundle", bundle).code == 2
    assert edgekws("eval", "--bundle", bundle, "--data", ".", "--truth", stream).code == 2


def test_a_long_stream_gives_the_same_as_its_portions(bundle: Path, tmp_path: Path) -> None:
    pcm = np.concatenate([noise(seconds=3.9), tone("yes")] * 3)
    wav = write_wav(tmp_path / "long.wav", pcm)
    rows = [f"{4.9 * n + 3.9},{4.9 * (n + 1)},yes" for n in range(3)]
    truth = write_truth(tmp_path / "truth.csv", *rows)
    (report,) = edgekws("eval", "--bundle", bundle, "--stream", wav, "--truth", truth).lines
    assert report["miss_rate"] == {"yes": 0.0}
    assert report["detections"] == 3
