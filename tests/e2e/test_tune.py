"""`edgekws tune` as a process: thresholds on a person's own recordings, written and heard with."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from edgekws.bundle import open_bundle
from tests.bundles import make_bundle, noise, tone
from tests.commands import ROOT, edgekws, write_wav
from tests.speech import RATE, Speech

TINY = ROOT / "models" / "bundles" / "commands-12-tiny"


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tune") / "tones")


def write_stream(folder: Path, *labels: str, apart: int = 3) -> tuple[Path, Path]:
    """Write a stream of tones in noise, one each `apart` seconds, and its table of truth."""
    pcm = noise(seconds=apart * (len(labels) + 1))
    rows = ["start_seconds,end_seconds,label"]
    for number, label in enumerate(labels, start=1):
        start = number * apart
        pcm[start * RATE : (start + 1) * RATE] = tone(label)
        rows.append(f"{start},{start + 1},{label}")
    truth = folder / "truth.csv"
    folder.mkdir(parents=True, exist_ok=True)
    truth.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return write_wav(folder / "stream.wav", pcm), truth


def test_a_persons_stream_gives_a_bundle_that_verifies_and_listens(
    speech: Speech, tmp_path: Path
) -> None:
    """Real words through the shipped int8 model, from the stream to the detections."""
    clips = speech.words(("yes", "stop"), clips=12)
    pcm, rows = speech.noise(80 * RATE) // 20, ["start_seconds,end_seconds,label"]
    for number in range(24):
        label = ("yes", "stop")[number % 2]
        start = 2 + 3 * number
        pcm[start * RATE : (start + 1) * RATE] += clips[label][number // 2].pcm
        rows.append(f"{start},{start + 1},{label}")
    stream = write_wav(tmp_path / "stream.wav", pcm)
    (tmp_path / "truth.csv").write_text("\n".join(rows), encoding="utf-8")
    write_wav(tmp_path / "talk" / "talk.wav", speech.sentences(60 * RATE))
    done = edgekws(
        "tune",
        *("--bundle", TINY, "--stream", stream, "--truth", tmp_path / "truth.csv"),
        *("--negatives", tmp_path / "talk", "--budget", 60),
        *("--out", tmp_path / "tuned", "--html", tmp_path / "report.html"),
    )
    assert done.code == 0, done.stderr
    (told,) = done.lines
    assert told["measured_on_other_audio"]
    assert told["judged"]["hours"] == pytest.approx(70 / 3600, rel=0.05)
    assert told["judged"]["by_label"]["yes"]["commands"] >= 5
    assert told["judged"]["together"]["miss_rate"]["value"] < 0.5
    assert "up" in told["kept"]
    assert "too few hours" in told["promise"] or "over the budget" in told["promise"]

    tuned, old = open_bundle(tmp_path / "tuned").manifest, open_bundle(TINY).manifest
    assert json.loads(json.dumps(told["thresholds"]["yes"])) == {
        name: getattr(tuned.triggers["yes"], name) for name in told["thresholds"]["yes"]
    }
    assert tuned.triggers["up"] == old.triggers["up"]
    assert tuned.models == old.models
    (metrics,) = tuned.stream_metrics
    assert "own recordings, 2 in number; thresholds chosen on the first half" in metrics.data
    assert set(metrics.miss_rate) == {"yes", "stop"}
    card = open_bundle(tmp_path / "tuned").card()
    assert card.count("## Thresholds") == 1
    assert "own recordings" in card
    assert "## Data and licences" in card
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert edgekws("bundle", "verify", tmp_path / "tuned").lines[0]["ok"]
    judged = edgekws(
        "eval",
        *("--bundle", tmp_path / "tuned", "--stream", stream, "--truth", tmp_path / "truth.csv"),
    )
    assert judged.lines[0]["commands"] == {"stop": 12, "yes": 12}
    heard = edgekws("listen", "--bundle", tmp_path / "tuned", "--source", f"wav:{stream}")
    assert {line["label"] for line in heard.lines if line["event"] == "detection"} >= {"yes"}


def test_without_a_place_the_tables_for_listen_toml_are_printed(
    tones: Path, tmp_path: Path
) -> None:
    stream, truth = write_stream(tmp_path, *(["yes", "开灯"] * 3))
    before = (tones / "manifest.json").read_bytes()
    done = edgekws("tune", "--bundle", tones, "--stream", stream, "--truth", truth)
    assert done.code == 0, done.stderr
    (told,) = done.lines
    assert (told["bundle"], told["html"]) == (None, None)
    assert told["listen_toml"] in done.stderr
    tables = tomllib.loads(told["listen_toml"])["triggers"]
    assert tables["开灯"] == told["thresholds"]["开灯"]
    assert set(tables) == {"yes", "开灯"}  # nobody said "no": it stays as it is
    assert (tones / "manifest.json").read_bytes() == before
    (tmp_path / "listen.toml").write_text(told["listen_toml"], encoding="utf-8")
    heard = edgekws(
        "listen",
        *("--bundle", tones, "--config", tmp_path / "listen.toml", "--source", f"wav:{stream}"),
    )
    assert [line["label"] for line in heard.lines if line["event"] == "detection"] == [
        "yes",
        "开灯",
    ] * 3


def test_few_commands_are_measured_where_they_were_chosen_and_it_is_said(
    tones: Path, tmp_path: Path
) -> None:
    stream, truth = write_stream(tmp_path, "yes", "no", "yes")
    done = edgekws(
        "tune", "--bundle", tones, "--stream", stream, "--truth", truth, "--out", tmp_path / "new"
    )
    (told,) = done.lines
    assert not told["measured_on_other_audio"]
    assert "chosen and measured on the same" in told["how"]
    assert "chosen and measured on the same" in done.stderr
    assert told["judged"]["together"]["commands"] == 3
    assert "chosen and measured on the same" in open_bundle(tmp_path / "new").card()


def test_several_streams_have_a_table_each(tones: Path, tmp_path: Path) -> None:
    first = write_stream(tmp_path / "a", *(["yes"] * 10))
    second = write_stream(tmp_path / "b", *(["no"] * 11))
    done = edgekws(
        "tune",
        *("--bundle", tones, "--stream", first[0], second[0], "--truth", first[1], second[1]),
    )
    (told,) = done.lines
    assert told["measured_on_other_audio"]
    assert told["judged"]["by_label"]["yes"]["commands"] == 5
    assert told["judged"]["together"]["missed"] == 0
    assert told["judged"]["hours"] == pytest.approx((33 + 36) / 2 / 3600, rel=0.1)


def test_write_puts_the_bundle_in_its_own_place(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tones")
    stream, truth = write_stream(tmp_path, *(["yes"] * 6))
    args = ("tune", "--bundle", bundle, "--stream", stream, "--truth", truth, "--write")
    (told,) = edgekws(*args).lines
    assert told["bundle"] == str(bundle)
    written = open_bundle(bundle)
    assert written.manifest.triggers["yes"].on == told["thresholds"]["yes"]["on"]
    assert written.card().startswith("# Tones\n\n## Thresholds")
    (again,) = edgekws(*args).lines
    assert again["thresholds"] == told["thresholds"]
    assert again["listen_toml"] == ""
    assert open_bundle(bundle).card() == written.card()


def test_a_folder_that_installs_a_board_is_not_overwritten(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tones")
    (bundle / "install.sh").write_text("#!/bin/sh\n")
    stream, truth = write_stream(tmp_path, "yes")
    done = edgekws("tune", "--bundle", bundle, "--stream", stream, "--truth", truth, "--write")
    assert (done.code, done.lines) == (5, [])
    assert "install.sh" in done.error
    assert "--out" in done.error
    assert (bundle / "install.sh").exists()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("99,100,yes", "truth.csv:5: the command starts after the end of the audio"),
        ("9,10,marvin", "no command 'marvin'; there is yes, no, 开灯"),
        ("10,9,yes", "ends before it starts"),
        ("soon,10,yes", "start_seconds is 'soon'"),
    ],
)
def test_truth_that_cannot_be_true_is_refused_by_its_line(
    tones: Path, tmp_path: Path, row: str, words: str
) -> None:
    stream, truth = write_stream(tmp_path, "yes", "no", "yes")
    with truth.open("a", encoding="utf-8") as file:
        file.write(row + "\n")
    done = edgekws("tune", "--bundle", tones, "--stream", stream, "--truth", truth)
    assert (done.code, done.lines) == (4, [])
    assert words in done.error


def test_a_table_without_commands_leaves_nothing_to_choose_by(tones: Path, tmp_path: Path) -> None:
    stream, truth = write_stream(tmp_path)
    done = edgekws("tune", "--bundle", tones, "--stream", stream, "--truth", truth)
    assert (done.code, done.lines) == (4, [])
    assert "names a command" in done.error


@pytest.mark.parametrize("samples", [0, 100])
def test_audio_of_no_length_is_refused(tones: Path, tmp_path: Path, samples: int) -> None:
    stream, truth = write_stream(tmp_path, "yes")
    silent = write_wav(tmp_path / "short.wav", np.zeros(samples, np.int16))
    done = edgekws(
        "tune", "--bundle", tones, "--stream", stream, "--truth", truth, "--negatives", silent
    )
    assert (done.code, done.lines) == (4, [])
    assert "short.wav" in done.error


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--truth", "a.csv", "b.csv"), 2, "1 recordings in --stream and 2 tables"),
        (("--budget", "0"), 2, "'0' is no number above 0"),
        (("--budget", "nan"), 2, "'nan' is no number above 0"),
        (("--write", "--out", "new"), 2, "not allowed with"),
        (("--html", "nowhere/report.html"), 2, "nowhere/report.html"),
        (("--negatives", "nowhere"), 4, "nowhere"),
        (("--stream", "nowhere.wav"), 4, "nowhere.wav"),
        (("--truth", "nowhere.csv"), 4, "nowhere.csv"),
        (("--bundle", "nowhere"), 5, "nowhere"),
        (("--out", "truth.csv"), 5, "truth.csv"),
    ],
)
def test_what_cannot_be_followed_is_one_line(
    tones: Path, tmp_path: Path, flags: tuple[str, ...], code: int, words: str
) -> None:
    stream, truth = write_stream(tmp_path, "yes")
    done = edgekws(
        "tune", "--bundle", tones, "--stream", stream, "--truth", truth, *flags, cwd=tmp_path
    )
    assert (done.code, done.lines) == (code, [])
    assert words in done.error


def test_write_needs_the_bundle_named(tmp_path: Path) -> None:
    done = edgekws("tune", "--stream", "a.wav", "--truth", "a.csv", "--write", cwd=tmp_path)
    assert (done.code, done.lines) == (2, [])
    assert "--bundle" in done.error


def test_a_folder_without_audio_is_no_negative(tones: Path, tmp_path: Path) -> None:
    stream, truth = write_stream(tmp_path, "yes")
    (tmp_path / "empty").mkdir()
    done = edgekws(
        *("tune", "--bundle", tones, "--stream", stream, "--truth", truth),
        *("--negatives", tmp_path / "empty"),
    )
    assert (done.code, done.lines) == (4, [])
    assert "no audio in it" in done.error
