"""`edgekws adapt --sweep`: trials within limits, interrupted and gone on with, the best left."""

import importlib.util
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from edgekws.train.recipe import load_recipe
from edgekws.train.run import load_net, load_run
from tests.commands import environment, error_line
from tests.needs import lacking
from tests.small_runs import NEW_COMMANDS
from tests.training import Running, adapt, adapt_argv, recipe_text, write_recipe

RECIPE: Final = recipe_text(
    labels=NEW_COMMANDS, phases=((1, 0.01, 0.01), (2, 0.005, 0.005)), examples=64
)
RUN_FILES: Final = {
    *("calibration.npz", "heldout.npz", "recipe.toml", "run.json", "stream.npz", "sweep"),
    *("training.jsonl", "weights.safetensors"),
}
TRIAL: Final = re.compile(
    r"^trial (\d+): calibrated loss ([0-9.]+), .*\((.*)\)( \*)?$", re.MULTILINE
)


@pytest.fixture(scope="module", autouse=True)
def _optuna() -> None:
    for name in ("optuna", "tomli_w"):
        if importlib.util.find_spec(name) is None:
            lacking(f"needs {name}: pip install 'edgekws[sweep]'")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "mine.toml", RECIPE)


def trials_of(stderr: str) -> list[tuple[int, float, str]]:
    """Return number, loss and values of each trial that a sweep has told of."""
    return [(int(n), float(loss), values) for n, loss, values, _ in TRIAL.findall(stderr)]


def test_the_best_of_some_trials_is_left_as_a_run_that_says_it_was_tuned(
    recipe: Path, mixed_data: Path, tmp_path: Path
) -> None:
    """Each trial in two processes, which a sweep does not notice."""
    out = tmp_path / "run"
    done = adapt(recipe, mixed_data, out, "--sweep", "--trials", 2, "--processes", 2)
    assert done.code == 0, done.stderr
    trials = trials_of(done.stderr)
    assert [number for number, _, _ in trials] == [1, 2]
    assert "head_rate_factor 1, backbone_rate_factor 1, first_epochs 1" in trials[0][2]
    assert len({values for _, _, values in trials}) == 2
    assert "epoch 1/" not in done.stderr

    assert {path.name for path in out.iterdir()} == RUN_FILES
    assert [path.name for path in (out / "sweep").iterdir()] == ["study.sqlite"]
    run = load_run(out)
    load_net(out, run)
    assert run.split == run.report.split == "clip-disjoint, tuned on"
    assert "clip-disjoint, tuned on" in done.stderr
    (line,) = done.lines
    assert line["accuracy"] == run.report.accuracy

    best = min(trials, key=lambda trial: trial[1])
    found, sha256 = load_recipe(out / "recipe.toml")
    assert sha256 == run.recipe_sha256
    values = dict(pair.split(" ") for pair in best[2].split(", "))
    original, _ = load_recipe(recipe)
    assert found.data.unknown_fraction == pytest.approx(float(values["unknown_fraction"]), rel=0.01)
    assert found.phases[0].epochs == int(values["first_epochs"])
    assert sum(phase.epochs for phase in found.phases) == 3
    for phase, own in zip(found.phases, original.phases, strict=True):
        factor = float(values["head_rate_factor"])
        assert phase.head_rate == pytest.approx(own.head_rate * factor, rel=0.01)
    assert (found.name, found.labels, found.net) == (original.name, original.labels, original.net)

    again = adapt(recipe, mixed_data, out, "--sweep", "--trials", 4)
    assert again.code == 11
    assert "holds a finished run" in again.error


def test_an_interrupted_sweep_goes_on_where_it_was(
    recipe: Path, mixed_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    flags = ("--sweep", "--budget-minutes", 60, "--trials", 2)
    with Running(adapt_argv(recipe, mixed_data, out, *flags)) as running:
        running.wait_for("trial 1:")
        code = running.end(signal.SIGINT)
    assert code == 130
    assert f"interrupted; the same command goes on in {out}" in running.said
    assert "Traceback" not in running.said
    assert not (out / "run.json").exists()
    done = adapt(recipe, mixed_data, out, *flags)
    assert done.code == 0, done.stderr
    assert "going on after trial 1" in done.stderr
    trials = trials_of(running.said) + trials_of(done.stderr)
    assert [number for number, _, _ in trials] == [1, 2]
    assert len({values for _, _, values in trials}) == 2
    assert load_run(out).split == "clip-disjoint, tuned on"


def test_the_time_alone_ends_a_sweep_and_overwrite_starts_another(
    recipe: Path, mixed_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    limits = ("--sweep", "--budget-minutes", 0.001)
    done = adapt(recipe, mixed_data, out, *limits)
    assert done.code == 0, done.stderr
    assert [number for number, _, _ in trials_of(done.stderr)] == [1]
    assert load_recipe(out / "recipe.toml")[0] == load_recipe(recipe)[0]
    write_recipe(recipe, RECIPE.replace("batch = 32", "batch = 16"))
    done = adapt(recipe, mixed_data, out, *limits, "--overwrite")
    assert done.code == 0, done.stderr
    assert [number for number, _, _ in trials_of(done.stderr)] == [1]
    assert "going on" not in done.stderr
    assert load_recipe(out / "recipe.toml")[0].optimizer.batch == 16


def test_what_adapt_refuses_a_sweep_refuses(mixed_data: Path, tmp_path: Path) -> None:
    text = recipe_text(labels=NEW_COMMANDS, base="no-such-base", examples=64)
    done = adapt(
        write_recipe(tmp_path / "mine.toml", text), mixed_data, tmp_path / "run", "--sweep"
    )
    assert done.code == 3
    assert "no-such-base" in done.error


def test_a_damaged_study_is_named(recipe: Path, mixed_data: Path, tmp_path: Path) -> None:
    study = tmp_path / "run" / "sweep" / "study.sqlite"
    study.parent.mkdir(parents=True)
    study.write_bytes(b"no database" * 99)
    done = adapt(recipe, mixed_data, tmp_path / "run", "--sweep")
    assert done.code == 11
    assert f"{study}: not a usable study" in done.error


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--sweep", "--budget-minutes", "0"), "--budget-minutes 0: must be above 0"),
        (("--sweep", "--budget-minutes", "nan"), "--budget-minutes nan"),
        (("--sweep", "--trials", "-1"), "--trials -1"),
        (("--budget-minutes", "5"), "--budget-minutes: is of a sweep; add --sweep"),
        (("--trials", "5"), "--trials: is of a sweep; add --sweep"),
    ],
)
def test_limits_that_are_senseless_are_one_line(
    flags: tuple[str, ...], words: str, recipe: Path, mixed_data: Path, tmp_path: Path
) -> None:
    done = adapt(recipe, mixed_data, tmp_path / "run", *flags)
    assert done.code == 2
    assert words in done.error


@pytest.mark.parametrize("missing", ["optuna", "tomli_w"])
def test_without_its_packages_a_sweep_says_the_pip_line_before_it_trains(
    missing: str, recipe: Path, mixed_data: Path, tmp_path: Path
) -> None:
    _, _, _, *args = adapt_argv(recipe, mixed_data, tmp_path / "run", "--sweep")
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from edgekws.cli.app import main; "
        f"sys.exit(main({args!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7
    assert "pip install 'edgekws[sweep]'" in error_line(done.stderr)
    assert not (tmp_path / "run").exists()
