"""`edgekws adapt` with synthesized takes of the commands: learned from, named, not reported on."""

from pathlib import Path

from edgekws.train.run import load_run
from tests.small_runs import NEW_COMMANDS
from tests.training import adapt, recipe_text, write_recipe


def test_a_run_says_what_was_synthesized_and_reports_on_real_recordings(
    mixed_data: Path, tmp_path: Path
) -> None:
    text = recipe_text(labels=NEW_COMMANDS, examples=64, extra="[[synthesis]]\ntakes = 7")
    done = adapt(write_recipe(tmp_path / "mine.toml", text), mixed_data, tmp_path / "run")
    assert done.code == 0, done.stderr
    assert "espeak speaks 7 takes of each of 2 command(s)" in done.stderr
    run = load_run(tmp_path / "run")
    assert [source.name for source in run.data] == [
        "recordings in data",
        "7 takes of a command synthesized by espeak",
    ]
    own = [len(list((mixed_data / label).iterdir())) // 4 for label in NEW_COMMANDS]
    assert [run.report.per_label[label].clips for label in NEW_COMMANDS] == own


def test_a_language_without_a_voice_is_one_line_before_anything_is_trained(
    mixed_data: Path, tmp_path: Path
) -> None:
    extra = "[[synthesis]]\ntakes = 7\n[data.languages]\nyes = 'tlh'"
    text = recipe_text(labels=NEW_COMMANDS, examples=64, extra=extra)
    done = adapt(write_recipe(tmp_path / "mine.toml", text), mixed_data, tmp_path / "run")
    assert done.code == 4
    assert "eSpeak NG has no voice 'tlh'" in done.error
    assert not (tmp_path / "run" / "run.json").exists()
