"""`edgekws eval --robustness` as a process: a row for each condition, and a table for a card."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import make_bundle, noise, tone, tone_hz
from tests.commands import Done, edgekws, write_wav


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("robust") / "tones")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    for label in ("yes", "no", "开灯"):
        for number in range(2):
            write_wav(root / "clips" / label / f"{number}.wav", tone(label))
    write_wav(root / "noise" / "hiss.wav", noise(seconds=3, level=2000))
    return root


def table(bundle: Path, recordings: Path, *flags: object) -> Done:
    return edgekws(
        *("eval", "--bundle", bundle, "--data", recordings / "clips", "--robustness"),
        *("--noise", recordings / "noise", *flags),
    )


def test_every_condition_has_a_row_and_the_table_is_markdown(
    bundle: Path, recordings: Path
) -> None:
    done = table(bundle, recordings)
    assert done.code == 0, done.stderr
    rows = {row["condition"]: row for row in done.lines}
    assert rows["clean"]["accuracy"]["value"] == 1.0
    assert rows["clean"]["points_lost"] == 0.0
    assert rows["gain -10 dB"]["accuracy"]["value"] == 1.0
    assert tone_hz("no") < 3400 < tone_hz("开灯")  # what a telephone does not pass
    assert rows["telephone, 8 kHz"]["points_lost"] == pytest.approx(100 / 3)
    assert all(row["clips"] == 6 for row in rows.values())
    assert "kbit/s reached" in rows["Opus, 16 kbit/s"]["note"]
    lines = [line for line in done.stderr.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(rows)
    assert {line.count("|") for line in lines} == {5}


def test_equal_seeds_give_equal_tables(bundle: Path, recordings: Path) -> None:
    first, again = (table(bundle, recordings, "--seed", 7) for _ in range(2))
    assert first.lines == again.lines


def test_draws_are_those_of_so_many_seeds_and_the_row_is_their_mean(
    bundle: Path, recordings: Path
) -> None:
    tones = np.concatenate([tone(label) for label in ("no", "yes", "no", "开灯")])
    write_wav(recordings / "tones" / "tones.wav", tones)  # which one is drawn decides
    drawn = {"far field", *(f"noise, {snr} dB" for snr in (20, 10, 5, 0))}
    mixed = ("--noise", recordings / "tones")
    alone = [table(bundle, recordings, "--seed", seed, *mixed).lines for seed in (7, 8)]
    both = table(bundle, recordings, "--seed", 7, "--draws", 2, *mixed)
    for row, first, second in zip(both.lines, *alone, strict=True):
        lost = [first["points_lost"], second["points_lost"]]
        if row["condition"] in drawn:
            assert row["lost_by_draw"] == lost
            assert row["points_lost"] == pytest.approx(sum(lost) / 2)
            assert row["macro_f1"] == pytest.approx((first["macro_f1"] + second["macro_f1"]) / 2)
            assert row["note"] == f"2 draws, {min(lost):.1f} to {max(lost):.1f} points below"
        else:
            assert row == first
        assert row["clips"] == 6
    heard = [row["lost_by_draw"] for row in both.lines if row["condition"] in drawn]
    assert any(len(set(lost)) == 2 for lost in heard)  # another draw is other noise
    assert "(2 draws, " in both.stderr


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--data", "clips", "--robustness"), 2, "--noise"),
        (("--data", "clips", "--noise", "noise"), 2, "--robustness"),
        (
            ("--stream", "a.wav", "--truth", "a.csv", "--robustness", "--noise", "noise"),
            2,
            "--data",
        ),
        (("--data", "clips", "--robustness", "--noise", "noise", "--seed", "-1"), 2, "'-1'"),
        (("--data", "clips", "--robustness", "--noise", "noise", "--draws", "0"), 2, "'0'"),
        (("--data", "clips", "--robustness", "--noise", "nowhere"), 4, "nowhere"),
    ],
)
def test_what_cannot_be_followed_is_one_line(
    bundle: Path, recordings: Path, flags: tuple[str, ...], code: int, words: str
) -> None:
    done = edgekws("eval", "--bundle", bundle, *flags, cwd=recordings)
    assert (done.code, done.lines) == (code, [])
    assert words in done.error
