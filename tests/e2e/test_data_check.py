"""`edgekws data check` as a person runs it: clean sets pass, and every planted fault is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pytest
import soundfile

from edgekws.cli.app import main
from edgekws.events import Pcm
from tests.speech import Clip, Speech, pink_noise, write_folder, write_wav

RATE: Final = 16_000
WORDS: Final = ("yes", "stop", "left")
CLIPS: Final = 12
MANY: Final = 30  # of a label, enough for its own recordings to say what it sounds like
FOUND: Final = 0.75
"""Least share of planted wrong labels that is found: 0.85 is measured on 480 clips, eight words."""
LISTED: Final = 0.06
"""Largest share of rightly labelled clips that is suspected: 0.01 is measured on the same."""


class Checked(NamedTuple):
    """What `data check` said."""

    code: int
    labels: dict[str, dict[str, Any]]
    findings: list[dict[str, Any]]
    data: dict[str, Any]
    said: str

    def kinds(self, severity: str) -> set[str]:
        return {f["kind"] for f in self.findings if f["severity"] == severity}

    def files(self, kind: str) -> set[str]:
        return {Path(f).name for x in self.findings if x["kind"] == kind for f in x["files"]}


@pytest.fixture(scope="module")
def clean_set(tmp_path_factory: pytest.TempPathFactory, speech: Speech) -> Path:
    return write_folder(tmp_path_factory.mktemp("clean") / "data", speech.words(WORDS, clips=CLIPS))


@pytest.fixture
def own_set(clean_set: Path, tmp_path: Path) -> Path:
    """A copy of the clean set to plant faults in."""
    return shutil.copytree(clean_set, tmp_path / "data")


Check = Callable[..., Checked]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    def run(data: Path, *args: object) -> Checked:
        capsys.readouterr()
        code = main(["data", "check", str(data), *map(str, args)])
        out, err = capsys.readouterr()
        lines = [json.loads(line) for line in out.splitlines()]
        return Checked(
            code,
            {line["label"]: line for line in lines if line["event"] == "label"},
            [line for line in lines if line["event"] == "finding"],
            next((line for line in lines if line["event"] == "data"), {}),
            err,
        )

    return run


def first_of(folder: Path) -> Path:
    return min(folder.iterdir())


def read(path: Path) -> Pcm:
    pcm: Pcm = soundfile.read(path, dtype="int16")[0]
    return pcm


def test_a_clean_set_passes_and_its_figures_are_told(clean_set: Path, check: Check) -> None:
    done = check(clean_set)
    assert done.code == 0, done.said
    assert list(done.labels) == sorted(WORDS)
    for label, line in done.labels.items():
        assert line["clips"] == CLIPS == line["training"] + line["validation"]
        assert line["seconds"] == CLIPS
        assert 1 < line["speakers"] <= CLIPS
        assert -60 < line["level_db"] < 0
        assert label in done.said
    assert done.data["path"] == str(clean_set)
    assert (done.data["faults"], done.data["clips"]) == (0, 3 * CLIPS)
    assert done.data["split"] == "speaker-disjoint"
    assert done.data["sample_rates"] == {"16000": 3 * CLIPS}


def test_bad_takes_are_named_and_only_warned_of(own_set: Path, check: Check) -> None:
    pcm = read(first_of(own_set / "yes")).astype(np.float64)
    loud = np.clip(pcm / np.abs(pcm).max() * 32767 * 8, -32768, 32767)
    write_wav(own_set / "yes" / "loud_nohash_0.wav", loud.astype(np.int16))
    write_wav(own_set / "yes" / "mute_nohash_0.wav", np.zeros(RATE, np.int16))
    write_wav(own_set / "yes" / "room_nohash_0.wav", pink_noise(RATE, rms=300, seed=1))
    write_wav(own_set / "yes" / "long_nohash_0.wav", np.tile(read(first_of(own_set / "yes")), 5))
    shifted = (pcm / np.abs(pcm).max() * 8000 + 4000).astype(np.int16)
    write_wav(own_set / "stop" / "direct_nohash_0.wav", shifted)
    done = check(own_set, "--quick")
    assert "loud_nohash_0.wav" in done.files("clipped")
    assert done.files("no_speech") == {"mute_nohash_0.wav", "room_nohash_0.wav"}
    assert done.files("long") == {"long_nohash_0.wav"}
    assert done.files("offset") == {"direct_nohash_0.wav"}
    assert done.labels["yes"]["findings"]["no_speech"] == 2
    assert "yes/room_nohash_0.wav" in done.said


@pytest.mark.parametrize("kind", ["noise", "silence", "tone"])
def test_a_label_without_speech_is_a_fault(own_set: Path, check: Check, kind: str) -> None:
    seconds = np.arange(RATE) / RATE
    for n in range(6):
        pcm = {
            "noise": pink_noise(RATE, rms=500, seed=n),
            "silence": np.zeros(RATE, np.int16),
            "tone": (8000 * np.sin(2 * np.pi * (300 + 50 * n) * seconds)).astype(np.int16),
        }[kind]
        write_wav(own_set / "hum" / f"s{n}_nohash_0.wav", pcm)
    done = check(own_set, "--quick")
    assert (done.code, done.kinds("fault")) == (4, {"no_speech"})
    assert len(done.files("no_speech")) == 6


def coded(pcm: Pcm, path: Path) -> None:
    soundfile.write(path.with_suffix(".mp3"), pcm, RATE, subtype="MPEG_LAYER_III")


def shifted(pcm: Pcm, path: Path) -> None:
    write_wav(path, np.pad(pcm // 2, (1234, 0)))


def as_it_is(pcm: Pcm, path: Path) -> None:
    write_wav(path, pcm)


@pytest.mark.parametrize("alter", [as_it_is, coded, shifted])
def test_a_copy_of_a_clip_in_another_split_is_a_fault(
    own_set: Path, tmp_path: Path, check: Check, alter: Callable[[Pcm, Path], None]
) -> None:
    split = split_by_speaker(own_set, tmp_path / "split")
    assert check(split, "--quick").code == 0
    original = first_of(split / "training" / "stop")
    alter(read(original), split / "validation" / "stop" / "other_nohash_0.wav")
    done = check(split, "--quick")
    assert (done.code, done.kinds("fault")) == (4, {"clip_in_two_splits"})
    assert original.name in done.files("clip_in_two_splits")
    assert any(name.startswith("other_nohash_0") for name in done.files("clip_in_two_splits"))


def split_by_speaker(data: Path, out: Path) -> Path:
    """Write out/training/<label> and out/validation/<label>, every third speaker in the latter."""
    speakers = sorted({p.name.partition("_nohash_")[0] for p in data.rglob("*.wav")})
    for path in data.rglob("*.wav"):
        held = speakers.index(path.name.partition("_nohash_")[0]) % 3 == 0
        folder = out / ("validation" if held else "training") / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.name)
    return out


def test_a_speaker_in_two_splits_is_a_fault(own_set: Path, tmp_path: Path, check: Check) -> None:
    split = split_by_speaker(own_set, tmp_path / "split")
    path = first_of(split / "training" / "yes")
    path.rename(split / "validation" / "yes" / path.name.replace("_nohash_0", "_nohash_7"))
    done = check(split, "--quick")
    speaker = path.name.partition("_nohash_")[0]
    assert (done.code, done.kinds("fault")) == (4, {"speaker_in_two_splits"})
    assert speaker in done.said


def test_a_held_out_set_of_the_same_people_is_a_fault(
    own_set: Path, clean_set: Path, tmp_path: Path, check: Check
) -> None:
    apart = tmp_path / "apart"
    write_wav(apart / "yes" / "nobody_nohash_0.wav", read(first_of(own_set / "yes")) // 3)
    first_of(own_set / "yes").unlink()
    assert check(own_set, "--quick", "--heldout", apart).code == 0
    done = check(clean_set, "--quick", "--heldout", apart)
    assert (done.code, done.kinds("fault")) == (4, {"clip_in_two_splits"})
    done = check(own_set, "--quick", "--heldout", clean_set)
    assert {"speaker_in_two_splits", "clip_in_two_splits"} <= done.kinds("fault")
    assert done.labels["left"]["testing"] == CLIPS


def test_two_labels_with_the_same_recordings_are_a_fault(own_set: Path, check: Check) -> None:
    shutil.copytree(own_set / "yes", own_set / "oui")
    done = check(own_set, "--quick")
    assert done.code == 4
    assert "same_recordings" in done.kinds("fault")
    assert "labels 'oui' and 'yes' hold the same recordings (12 of 12)" in done.said


def test_files_that_cannot_be_read_are_all_named(own_set: Path, check: Check) -> None:
    for label in ("yes", "stop"):
        (own_set / label / "broken_nohash_0.wav").write_bytes(b"RIFF" * 9)
    done = check(own_set, "--quick")
    assert (done.code, done.kinds("fault")) == (4, {"unreadable"})
    assert len([f for f in done.findings if f["kind"] == "unreadable"]) == 2


def test_formats_are_counted(own_set: Path, check: Check) -> None:
    stereo = np.stack([read(first_of(own_set / "yes"))] * 2, axis=1)
    soundfile.write(own_set / "stop" / "one_nohash_0.flac", stereo, 44_100, subtype="PCM_24")
    done = check(own_set, "--quick")
    assert done.data["sample_rates"] == {"16000": 3 * CLIPS, "44100": 1}
    assert done.data["channels"] == {"1": 3 * CLIPS, "2": 1}
    assert done.data["encodings"]["FLAC PCM_24"] == 1


def test_without_names_of_speakers_it_says_what_that_means(own_set: Path, check: Check) -> None:
    for number, path in enumerate(sorted(own_set.rglob("*.wav"))):
        path.rename(path.with_name(f"take{number}.wav"))
    done = check(own_set, "--quick")
    assert (done.code, done.data["split"]) == (0, "clip-disjoint")
    assert "name no speaker" in done.said


def test_wrong_labels_are_suspected_and_few_right_ones(
    tmp_path: Path, speech: Speech, check: Check
) -> None:
    words = speech.words(WORDS, clips=MANY + 2)
    planted = {
        label: [Clip(f"wrong{i}{n}", clip.pcm) for n, clip in enumerate(words[other][MANY:])]
        for i, (label, other) in enumerate(zip(WORDS, (*WORDS[1:], WORDS[0]), strict=True))
    }
    right = {label: words[label][:MANY] for label in WORDS}
    data = write_folder(tmp_path / "data", {w: [*right[w], *planted[w]] for w in WORDS})
    done = check(data)
    suspects = done.files("suspect")
    wrong = {name for name in suspects if name.startswith("wrong")}
    assert done.code == 0, done.said
    assert len(wrong) >= FOUND * 2 * len(WORDS)
    assert len(suspects - wrong) <= LISTED * MANY * len(WORDS)
    assert "sound like another label" in done.said


@pytest.mark.parametrize("name", ["silence", "_Unknown_", "unknown_", "_unkown_", "Silense"])
def test_names_that_are_nearly_reserved_are_one_line(
    own_set: Path, check: Check, name: str
) -> None:
    (own_set / "yes").rename(own_set / name)
    done = check(own_set, "--quick")
    (line,) = done.said.splitlines()
    assert done.code == 4
    assert repr(name) in line
    assert "reserved" in line


def test_folders_that_are_not_there_are_one_line(own_set: Path, check: Check) -> None:
    for args in ((own_set / "gone",), (own_set, "--heldout", own_set / "gone")):
        done = check(*args, "--quick")
        assert done.code == 4
        assert "gone: no such folder" in done.said
    shutil.rmtree(own_set / "stop")
    (own_set / "stop").mkdir()
    assert "stop: 0 recording(s)" in check(own_set, "--quick").said
