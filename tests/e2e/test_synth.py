"""`edgekws synth` as a person types it: takes in label folders, all of them or none."""

import shutil
import signal
import subprocess
import time
import wave
from pathlib import Path

import pytest

from edgekws.train.dataset import list_audio
from edgekws.train.split import speaker_of
from tests.commands import PATIENCE_SECONDS, argv, environment, error_line, run_text
from tests.needs import lacking


def run(*args: object, shell_limit: str = "") -> subprocess.CompletedProcess[str]:
    return run_text("synth", *args, shell_limit=shell_limit)


def test_each_word_gets_a_folder_of_takes_by_many_speakers(tmp_path: Path) -> None:
    out = tmp_path / "words"
    done = run("--language", "cmn", "--out", out, "--takes", "4", "开灯", "关灯", "开灯")
    assert done.returncode == 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"next: edgekws adapt --recipe models/recipes/adapt.toml --data {out}" in line
    assert sorted(path.name for path in out.iterdir()) == sorted(["开灯", "关灯"])
    for label in ("开灯", "关灯"):
        takes = list_audio(out / label)
        assert len({speaker_of(path) for path in takes}) == len(takes) == 4
        with wave.open(str(takes[0])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            assert file.getnframes() > 4000


def test_texts_can_be_given_by_name_and_kept_to_some_voices(tmp_path: Path) -> None:
    flags = ("--text", "lights on", "--text", "lights off", "--lang", "en", "--count", "6")
    done = run(*flags, "--voice", "f3", "--voice", "m1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lights off", "lights on"]
    takes = [path.name for path in list_audio(tmp_path / "lights on")]
    assert takes == sorted(f"en-{voice}_nohash_{n}.wav" for voice in ("f3", "m1") for n in range(3))


def test_takes_of_another_engine_go_beside_those_there(tmp_path: Path) -> None:
    if shutil.which("flite") is None:
        lacking("needs Flite: apt-get install flite")
    for engine in ("espeak", "flite"):
        done = run("tea", "--lang", "en", "--count", "4", "--engine", engine, "--out", tmp_path)
        assert done.returncode == 0, done.stderr
    speakers = {speaker_of(path) for path in list_audio(tmp_path / "tea")}
    assert len(speakers) == 8
    assert {"en-awb", "en-kal16", "en-rms", "en-slt"} < speakers


def test_an_out_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("tea", "--lang", "en", "--out", tmp_path / "file" / "out")
    assert done.returncode == 4
    assert f"{tmp_path}/file/out: Not a directory" in error_line(done.stderr)


def test_a_seed_gives_the_same_takes_again_and_they_are_numbered_on(tmp_path: Path) -> None:
    command = ("--language", "en", "--takes", "2", "tea")
    for folder, times in (("once", 1), ("twice", 2)):
        for _ in range(times):
            assert run("--out", tmp_path / folder, *command).returncode == 0
    once, twice = (list_audio(tmp_path / folder / "tea") for folder in ("once", "twice"))
    assert (len(once), len(twice)) == (2, 4)
    for path in once:
        assert (tmp_path / "twice" / "tea" / path.name).read_bytes() == path.read_bytes()
    assert {path.stem[-1] for path in twice} == {"0", "1"}


def test_a_file_of_words_can_go_into_one_label(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("\ufefftea\n\n  a cup of tea \n24/7\n", encoding="utf-8")
    out = tmp_path / "out"
    flags = ("--words", words, "--into", "_unknown_", "--takes", "2")
    done = run("--language", "en", "--out", out, *flags)
    assert done.returncode == 0
    assert [path.name for path in out.iterdir()] == ["_unknown_"]
    assert len(list_audio(out / "_unknown_")) == 6


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--language", "xx", "tea"], 4, "no voice 'xx'"),
        (["--language", "en/../de", "tea"], 2, "--language"),
        (["--language", "en", "tea", "…"], 4, "says nothing"),
        (["--language", "en", "../x"], 2, "'../x'"),
        (["--language", "en", "a/b"], 2, "'a/b'"),
        (["--language", "en", "."], 2, "'.'"),
        (["--language", "en", "_silence_"], 2, "reserved"),
        (["--language", "en", "a\nb"], 2, "control"),
        (["--language", "en", " "], 2, "empty"),
        (["--language", "en", "a" * 300], 2, "--into"),
        (["--language", "en", "--into", "../x", "tea"], 2, "--into"),
        (["--language", "en", "--into", "", "tea"], 2, "--into"),
        (["--language", "en"], 2, "--words"),
        (["--language", "en", "--words", "none.txt"], 4, "none.txt"),
        (["--language", "en", "--words", "none.txt", "tea"], 2, "either"),
        (["--language", "en", "--takes", "0", "tea"], 2, "--takes"),
        (["--language", "en", "--seed", "-1", "tea"], 2, "--seed"),
        (["--lang", "en", "--count", "0", "--text", "tea"], 2, "--takes 0"),
        (["--lang", "en", "--text", ""], 2, "empty"),
        (["--lang", "en", "--text", "tea", "--engine", "festival"], 2, "'festival'; there is espe"),
        (["--lang", "en", "--text", "tea", "--engine", "piper"], 2, "--voice"),
        (["--lang", "en", "--text", "tea", "--voice", "f99"], 4, "no variant 'f99'"),
    ],
)
def test_each_refusal_is_one_line_and_writes_nothing(
    tmp_path: Path, args: list[str], code: int, words: str
) -> None:
    done = run("--out", tmp_path / "out", *args)
    assert done.returncode == code
    assert words in error_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"tea\n\n../x\n", "words.txt:3: '../x'"), (b"\n", "no words"), (b"\xff", "UTF-8")],
)
def test_a_faulty_file_of_words_is_refused_by_line(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(data)
    done = run("--language", "en", "--out", tmp_path / "out", "--words", path)
    assert done.returncode == 4
    assert words in error_line(done.stderr)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    mine = tmp_path / "out" / "tea" / "me_nohash_0.wav"
    mine.parent.mkdir(parents=True)
    mine.touch()
    done = run("--language", "en", "--out", tmp_path / "out", "tea", shell_limit="ulimit -f 4")
    assert done.returncode == 4
    assert "File too large" in error_line(done.stderr)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [mine]


def test_ctrl_c_keeps_no_take(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = argv(("synth", "--language", "en", "--out", out, "--takes", "5000", "tea"))
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not list(out.glob(".takes-*/tea/*.wav")):
            assert time.monotonic() < deadline, "no take was made"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert b"no take was kept" in stderr
    assert b"Traceback" not in stderr, stderr.decode()
    assert list(tmp_path.iterdir()) == []
