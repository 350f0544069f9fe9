"""`edgekws classify` as a process: files in, a line each out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.bundles import LABELS, make_bundle, noise, tone
from tests.commands import edgekws, write_wav


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("classify") / "tones")


def test_each_file_gets_a_line_in_order(bundle: Path, tmp_path: Path) -> None:
    yes = write_wav(tmp_path / "yes.wav", tone("yes"))
    room = write_wav(tmp_path / "room.wav", noise(level=1.0))
    done = edgekws("classify", "--bundle", bundle, yes, room, yes)
    assert done.code == 0, done.stderr
    assert [line["path"] for line in done.lines] == [str(yes), str(room), str(yes)]
    assert [line["label"] for line in done.lines] == ["yes", "_silence_", "yes"]
    for line in done.lines:
        assert list(line["scores"]) == list(LABELS)
        assert line["score"] == max(line["scores"].values()) == line["scores"][line["label"]]
    assert done.lines[0] == done.lines[2]


def test_short_long_stereo_and_foreign_rates_are_taken(bundle: Path, tmp_path: Path) -> None:
    short = write_wav(tmp_path / "short.wav", tone("no", seconds=0.4))
    long = write_wav(
        tmp_path / "long.wav", np.concatenate((noise(seconds=2), tone("no"), noise(seconds=2)))
    )
    both = write_wav(tmp_path / "stereo.wav", np.stack((tone("no"), tone("no")), axis=1))
    flac = tmp_path / "twice.flac"
    doubled = np.interp(np.arange(0, 16_000, 0.5), np.arange(16_000), tone("no"))
    soundfile.write(flac, doubled / 32768, 32_000)
    done = edgekws("classify", "--bundle", bundle, short, long, both, flac)
    assert done.code == 0, done.stderr
    assert [line["label"] for line in done.lines] == ["no"] * 4


def test_a_bad_file_costs_one_line_and_the_others_are_done(bundle: Path, tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", tone("yes"))
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    empty.touch()
    text.write_text("no audio at all")
    done = edgekws("classify", "--bundle", bundle, empty, good, text, tmp_path / "none.wav")
    assert done.code == 4
    assert [line["path"] for line in done.lines] == [str(good)]
    errors = [x for x in done.stderr.splitlines() if x.startswith("edgekws: error: ")]
    assert [name in error for name, error in zip(("empty", "text", "none"), errors, strict=True)]


def test_no_file_is_a_usage_error(bundle: Path) -> None:
    assert edgekws("classify", "--bundle", bundle).code == 2
