"""`edgekws average`: the mean of runs is a run like any other, and only like runs have one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from edgekws.train.run import load_net, load_run
from edgekws.train.run_audio import load_heldout
from tests.commands import Done, edgekws
from tests.small_runs import COMMANDS, LIGHT
from tests.training import TRAINING_SECONDS, adapt, export, recipe_text, write_recipe

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def farther_run(
    base_run: Path, training_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of the same commands that went one epoch on from `base_run`."""
    place = tmp_path_factory.mktemp("farther")
    text = recipe_text(
        base=base_run, labels=COMMANDS, phases=((1, 0.01, 0.01),), examples=320, extra=LIGHT
    )
    done = adapt(write_recipe(place / "farther.toml", text), training_data, place / "farther")
    assert done.code == 0, done.stderr
    return place / "farther"


def average(*args: object) -> Done:
    return edgekws("average", *args, seconds=TRAINING_SECONDS)


def weights_of(folder: Path) -> dict[str, Tensor]:
    state = load_net(folder, load_run(folder)).state_dict()
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


@pytest.mark.parametrize("weight", [1, 2])
def test_the_mean_is_of_every_weight_and_a_run_named_twice_counts_twice(
    base_run: Path, farther_run: Path, tmp_path: Path, weight: int
) -> None:
    out = tmp_path / "mean"
    done = average(*[base_run] * weight, farther_run, "--out", out)
    assert done.code == 0, done.stderr
    first, second, mean = map(weights_of, (base_run, farther_run, out))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    for name, tensor in mean.items():
        expected = (weight * first[name].double() + second[name].double()) / (weight + 1)
        torch.testing.assert_close(tensor, expected.float(), rtol=1e-6, atol=1e-7)


def test_its_figures_are_its_own_and_it_exports(
    base_run: Path, farther_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mean"
    done = average(base_run, farther_run, "--out", out)
    run, first = load_run(out), load_run(base_run)
    (result,) = done.lines
    assert result == {
        "run": str(out),
        "accuracy": run.report.accuracy,
        "macro_f1": run.report.macro_f1,
    }
    assert (run.labels, run.split, run.triggers) == (first.labels, first.split, {})
    assert run.recipe_sha256 not in {first.recipe_sha256, load_run(farther_run).recipe_sha256}
    assert decided(out) == [list(row) for row in run.report.confusion]
    with np.load(base_run / "calibration.npz") as held:
        np.savez(out / "calibration.npz", pcm=held["pcm"][:12])  # exports in a third of the time
    done = export(out, "--target", "x86", "--model", "onnx-int8", "--out", tmp_path / "dist")
    assert done.code == 0, done.stderr
    card = (Path(done.lines[0]["bundle"]) / "card.md").read_text()
    assert "none: trained from scratch, the mean of 2 runs" in card


def decided(folder: Path) -> list[list[int]]:
    """Count what the run's net takes each held-out clip for, by its own public way of scoring."""
    from edgekws.train.evaluate import clip_logits, normalizer_of

    run = load_run(folder)
    held = load_heldout(folder, n_labels=len(run.labels))
    counts = np.zeros((len(run.labels), len(run.labels)), int)
    answers = clip_logits(load_net(folder, run), normalizer_of(run), held.pcm).argmax(axis=1)
    np.add.at(counts, (held.labels, answers), 1)
    return counts.tolist()


def rename_label(folder: Path) -> None:
    change_run(folder, lambda run: rename(run, "yes", "oui"))


def rename(run: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    renamed: dict[str, Any] = json.loads(json.dumps(run).replace(f'"{old}"', f'"{new}"'))
    return renamed


def change_run(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def hold_out_other_clips(folder: Path) -> None:
    held = load_heldout(folder, n_labels=4)
    np.savez(folder / "heldout.npz", pcm=held.pcm[:-1], labels=held.labels[:-1])


def cut_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (rename_label, 3, "in labels; a mean needs runs of one base"),
        (hold_out_other_clips, 3, "heldout.npz: other clips than those of"),
        (cut_weights, 11, "weights.safetensors: "),
        (lambda folder: (folder / "run.json").unlink(), 11, "run.json: cannot be read"),
    ],
    ids=["labels", "heldout", "weights", "unfinished"],
)
def test_runs_that_have_no_mean_are_refused_and_nothing_is_made(
    base_run: Path, farther_run: Path, tmp_path: Path, damage: Damage, code: int, words: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(farther_run, other)
    damage(other)
    done = average(base_run, other, "--out", tmp_path / "mean")
    assert done.code == code
    assert words in done.error
    assert str(other) in done.error
    assert not (tmp_path / "mean").exists()


def test_what_the_first_run_lacks_is_named(
    base_run: Path, farther_run: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(base_run, other)
    (other / "stream.npz").unlink()
    done = average(other, farther_run, "--out", tmp_path / "mean")
    assert done.code == 11
    assert f"{other / 'stream.npz'}: cannot be read" in done.error
    assert not (tmp_path / "mean").exists()


def test_one_run_has_no_mean_however_often_it_is_named(base_run: Path, tmp_path: Path) -> None:
    done = average(base_run, base_run, "--out", tmp_path / "mean")
    assert done.code == 2
    assert "needs two runs or more" in done.error


def test_a_finished_run_is_replaced_only_with_overwrite(
    base_run: Path, farther_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "taken"
    shutil.copytree(farther_run, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = average(base_run, farther_run, "--out", out)
    assert done.code == 11
    assert f"{out}: holds a finished run" in done.error
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert average(base_run, farther_run, "--out", out, "--overwrite").code == 0
    assert load_run(out).report != load_run(farther_run).report
