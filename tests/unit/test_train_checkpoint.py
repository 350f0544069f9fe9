"""Checkpoints: what is written is read, and what cannot be read says so with its path."""

from pathlib import Path

import msgspec
import pytest
import torch

from edgekws.errors import RunError
from edgekws.train.checkpoint import (
    Checkpoint,
    Progress,
    cut_log,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)

PROGRESS = Progress("ab" * 32, 3, 1, 2, 0.5, ("_silence_", "开灯"))


def checkpoint() -> Checkpoint:
    return Checkpoint(
        PROGRESS, {"net.w": torch.eye(3), "best.w": torch.eye(3).T[1:], "x": torch.tensor(4)}
    )


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", checkpoint())
    read = load_checkpoint(tmp_path / "c")
    assert read is not None
    assert read.progress == PROGRESS
    assert read.tensors.keys() == checkpoint().tensors.keys()
    assert torch.equal(read.part("net")["w"], torch.eye(3))
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "c") is None


def test_a_checkpoint_without_labels_is_still_read(tmp_path: Path) -> None:
    old = msgspec.structs.replace(PROGRESS, labels=())
    save_checkpoint(tmp_path / "c", Checkpoint(old, {"net.w": torch.eye(2)}))
    data = (tmp_path / "c").read_bytes()
    field = b',\\"labels\\":[]'
    assert field in data
    (tmp_path / "c").write_bytes(data.replace(field, b" " * len(field)))
    read = load_checkpoint(tmp_path / "c")
    assert read is not None
    assert read.progress.labels == ()


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_truncated_checkpoint_is_a_run_error_with_its_path(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "c"
    save_checkpoint(path, checkpoint())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RunError, match=f"{path}: not a usable checkpoint.*delete it"):
        load_checkpoint(path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 4096, b'{"progress": 1}'])
def test_a_foreign_file_is_a_run_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(RunError, match="not a usable checkpoint"):
        load_checkpoint(tmp_path / "c")


def test_weights_without_progress_are_a_run_error(tmp_path: Path) -> None:
    from safetensors.torch import save

    (tmp_path / "c").write_bytes(save({"net.w": torch.eye(2)}))
    with pytest.raises(RunError, match="not a usable checkpoint"):
        load_checkpoint(tmp_path / "c")


def stepped(optimizer: torch.optim.Optimizer, weight: torch.nn.Parameter, *, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        weight.square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_an_optimizer_goes_on_as_if_it_had_never_stopped() -> None:
    def fresh(value: torch.Tensor) -> tuple[torch.optim.Optimizer, torch.nn.Parameter]:
        weight = torch.nn.Parameter(value.clone())
        return torch.optim.AdamW([weight], lr=0.1), weight

    first, weight = fresh(torch.ones(4))
    stepped(first, weight, steps=3)
    second, other = fresh(weight.detach())
    restore_optimizer(second, optimizer_tensors(first))
    stepped(first, weight, steps=3)
    stepped(second, other, steps=3)
    assert torch.equal(weight, other)


def test_the_log_is_cut_to_what_the_checkpoint_holds(tmp_path: Path) -> None:
    log = tmp_path / "training.jsonl"
    lines = [f'{{"epoch": {n}}}\n' for n in (1, 2, 3)]
    log.write_text("".join(lines) + '{"epo')
    cut_log(log, epochs=2)
    assert log.read_text() == "".join(lines[:2])
    cut_log(tmp_path / "none.jsonl", epochs=2)
    assert not (tmp_path / "none.jsonl").exists()
