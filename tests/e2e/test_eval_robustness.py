"""`edgekws eval --robustness` as a process: a row for each condition, and a table for a card."""

from pathlib import Path

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
        (("--data", "clips", "--robustness", "--noise", "nowhere"), 4, "nowhere"),
    ],
)
def test_what_cannot_be_followed_is_one_line(
    bundle: Path, recordings: Path, flags: tuple[str, ...], code: int, words: str
) -> None:
    done = edgekws("eval", "--bundle", bundle, *flags, cwd=recordings)
    assert (done.code, done.lines) == (code, [])
    assert words in done.error
