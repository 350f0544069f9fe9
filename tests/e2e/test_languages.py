"""Two languages in one model as a person makes it: synth, adapt, export, and eval by language."""

from pathlib import Path
from typing import Any, Final

import pytest

from edgekws.train.dataset import BACKGROUND
from edgekws.train.run import load_net, load_run
from tests.bundles import noise
from tests.commands import Done, edgekws, write_wav
from tests.training import adapt, export, recipe_text, write_recipe

SPOKEN: Final = {"en": "stop", "cmn": "开灯"}
TAKES: Final = 16
TABLES: Final = """[multitask]
language_weight = 0.5

[data.languages]
"开灯" = "cmn"

[augment]
lead_frames = [0]"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of takes per language, other words, and a room."""
    root = tmp_path_factory.mktemp("languages") / "data"
    for language, text in SPOKEN.items():
        speak(root, text, language, "--count", TAKES)
    speak(root, "weather", "en", "--count", 8, "--into", "_unknown_")
    for number in range(4):
        write_wav(root / BACKGROUND / f"room{number}.wav", noise(seconds=4))
    return root


def speak(root: Path, text: str, language: str, *more: object) -> None:
    done = edgekws("synth", "--text", text, "--lang", language, "--out", root, *more)
    assert done.code == 0, done.stderr


@pytest.fixture(scope="module")
def recipe(data: Path) -> Path:
    text = recipe_text(phases=((2, 0.02, 0.02),), examples=320, extra=TABLES)
    return write_recipe(data.parent / "two.toml", text)


@pytest.fixture(scope="module")
def adapted(data: Path, recipe: Path) -> Done:
    return adapt(recipe, data, data.parent / "run")


@pytest.fixture(scope="module")
def bundle(data: Path, adapted: Done) -> Path:
    assert adapted.code == 0, adapted.stderr
    out = data.parent / "dist"
    done = export(data.parent / "run", "--target", "x86", "--model", "onnx-fp32", "--out", out)
    assert done.code == 0, done.stderr
    return out / "small-x86"


def test_the_report_has_a_row_for_each_language(data: Path, adapted: Done) -> None:
    assert adapted.code == 0, adapted.stderr
    report = load_run(data.parent / "run").report
    assert set(report.per_language) == set(SPOKEN)
    for language, text in SPOKEN.items():
        row = report.per_language[language]
        assert (row.labels, row.clips) == ((text,), report.per_label[text].clips)
        assert row.recall == pytest.approx(report.per_label[text].recall)
        assert f"language {language} " in adapted.stderr


def test_the_layer_for_language_is_not_in_the_run(data: Path, adapted: Done) -> None:
    assert adapted.code == 0, adapted.stderr
    run = load_run(data.parent / "run")
    assert load_net(data.parent / "run", run).head.out_features == len(run.labels) == 4


def test_the_card_has_a_row_for_each_language(bundle: Path) -> None:
    card = (bundle / "card.md").read_text(encoding="utf-8")
    _, _, section = card.partition("by language")
    assert "| language | commands | clips | trained net | onnx-fp32 |" in section
    for language, text in SPOKEN.items():
        assert f"| {language} | {text} | " in section


def test_a_bundle_is_judged_by_language_with_the_recipe_at_hand(
    bundle: Path, data: Path, recipe: Path
) -> None:
    report = by_language(bundle, data, recipe)
    for language, text in SPOKEN.items():
        row = report["per_language"][language]
        assert (row["labels"], row["clips"]) == ([text], TAKES)
        assert row["recall"] == pytest.approx(report["per_label"][text]["recall"])


def by_language(bundle: Path, data: Path, recipe: Path) -> dict[str, Any]:
    done = edgekws("eval", "--bundle", bundle, "--data", data, "--languages", recipe)
    assert done.code == 0, done.stderr
    (report,) = done.lines
    return report


def test_a_recipe_of_other_commands_is_refused(bundle: Path, data: Path, tmp_path: Path) -> None:
    other = write_recipe(tmp_path / "other.toml", recipe_text(extra="[data.languages]\nja = 'de'"))
    done = edgekws("eval", "--bundle", bundle, "--data", data, "--languages", other)
    assert done.code == 3
    assert "data.languages: 'ja' is no command" in done.error


def test_languages_of_a_stream_are_refused(bundle: Path, data: Path, recipe: Path) -> None:
    room = data / BACKGROUND / "room0.wav"
    done = edgekws(
        *("eval", "--bundle", bundle, "--stream", room, "--truth", recipe, "--languages", recipe)
    )
    assert done.code == 2
    assert "--languages goes with --data alone" in done.error
