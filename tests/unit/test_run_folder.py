"""A run folder: read as it was written, refused where it is damaged, never half a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from edgekws.errors import RunError
from edgekws.train.run import load_net, load_run, model_spec, save_run, write_aside
from tests.runs import SMALL_NET, trained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_run(tmp_path / "run", trained().run, trained().net)
    return tmp_path / "run"


def test_run_and_weights_are_read_as_they_were_written(folder: Path) -> None:
    run = load_run(folder)
    assert run == trained().run
    net = load_net(folder, run)
    assert not net.training
    for name, tensor in trained().net.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], tensor, rtol=0, atol=0)


def test_only_the_two_files_are_left_and_equal_runs_give_equal_bytes(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {"run.json", "weights.safetensors"}
    save_run(folder, load_run(folder), load_net(folder, load_run(folder)))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_save_that_fails_leaves_an_unfinished_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_run(folder, trained().run, trained().net)
    with pytest.raises(RunError, match=r"run\.json: cannot be read"):
        load_run(folder)
    assert [path.name for path in folder.iterdir()] == ["weights.safetensors"]


def test_write_aside_keeps_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    write_aside(path, b"old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_aside(path, b"new and longer")
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    assert path.read_bytes() == b"old"


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    plain = json.loads((folder / "run.json").read_text())
    change(plain)
    (folder / "run.json").write_text(json.dumps(plain))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.pop("split"), r"missing required field `split`"),
        (lambda run: run.update(colour="red"), r"unknown field `colour`"),
        (lambda run: run.update(schema=2), r"\$\.schema"),
        (lambda run: run["net"].update(n_features=39), r"n_features"),
        (lambda run: run.update(mean=[0.0]), r"one value per coefficient"),
        (lambda run: run["report"].update(accuracy=1.5), r"\$\.report\.accuracy"),
        (lambda run: run["report"]["per_label"].pop("rising"), r"one entry per label"),
        (lambda run: run["report"]["confusion"].pop(), r"one row and one column per label"),
    ],
)
def test_a_run_that_is_not_right_is_refused_with_its_place(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(RunError, match=message) as caught:
        load_run(rewritten(folder, change))
    assert str(folder) in str(caught.value)


def test_weights_of_another_net_are_refused_in_one_line(folder: Path) -> None:
    wider = msgspec.structs.replace(SMALL_NET, embedding=SMALL_NET.embedding + 1)
    with pytest.raises(RunError, match="do not fit") as caught:
        load_net(folder, msgspec.structs.replace(load_run(folder), net=wider))
    assert "\n" not in str(caught.value)


def test_the_model_spec_follows_from_the_run() -> None:
    model = model_spec(trained().run)
    assert (model.step_frames, model.scores_per_step, model.window_frames) == (8, 2, 24)
    assert model.parameters == sum(p.numel() for p in trained().net.parameters())
    assert model.macs_per_second == trained().net.cost().macs_per_row * 25  # rows of 40 ms


@pytest.mark.parametrize(("stride", "step"), [(1, 8), (2, 8), (3, 6), (4, 8), (8, 16)])
def test_a_step_is_about_eight_frames_and_whole_rows(stride: int, step: int) -> None:
    net = msgspec.structs.replace(SMALL_NET, stem_stride=stride, stem_kernel=8)
    model = model_spec(msgspec.structs.replace(trained().run, net=net))
    assert model.step_frames == step
    assert model.step_frames == model.scores_per_step * net.frames_per_score
