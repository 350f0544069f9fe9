"""Training state in one safetensors file, so that an interrupted run goes on where it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from edgekws.errors import RunError
from edgekws.train.ranks import Ranks
from edgekws.train.run import write_aside


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a run is: epochs count over all phases; the best figures are on validation.

    Fields with a default are empty in checkpoints from before they were kept.
    """

    recipe_sha256: str
    epochs_done: int
    phase: int
    best_epoch: int
    best_loss: float
    labels: tuple[str, ...] = ()
    best_accuracy: float = 0.0
    plan_sha256: str = ""
    """Of the recipe but for its rates."""
    rate_drops: int = 0
    """How often `plateau` has lowered the rates of this phase, the last time at `dropped_at`."""
    dropped_at: int = 0
    diverged: bool = False
    """The loss was no number any more in the epoch after this one."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run's state: tensors under "net.", "average.", "best." and "optimizer." prefixes."""

    progress: Progress
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors of one prefix, without it."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically."""
    meta = {"progress": msgspec.json.encode(checkpoint.progress).decode()}
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    write_aside(path, save(tensors, metadata=meta))


def load_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint; None where there is none; RunError where it cannot be read."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            progress = msgspec.json.decode((file.metadata() or {})["progress"], type=Progress)
            names = file.keys()
            return Checkpoint(progress, {name: file.get_tensor(name) for name in names})
    except (OSError, SafetensorError, KeyError, msgspec.DecodeError) as fault:
        raise RunError(
            f"{path}: not a usable checkpoint ({fault}); delete it to start over"
        ) from fault


def told_checkpoint(held: Checkpoint | None, ranks: Ranks) -> Checkpoint | None:
    """Return what rank 0 holds: the others may be of machines without the run folder."""
    if ranks.count == 1:
        return held
    progress = ranks.told(msgspec.json.encode(held.progress) if held else b"")
    tensors = ranks.told(save(dict(held.tensors)) if held else b"")
    if not progress:
        return None
    return Checkpoint(msgspec.json.decode(progress, type=Progress), load(tensors))


def mark_diverged(path: Path, own: Progress) -> int:
    """Note in the checkpoint of a run that the epoch after it failed; return its epochs, or 0."""
    held = load_checkpoint(path)
    if held is None or held.progress.recipe_sha256 != own.recipe_sha256:
        return 0
    progress = msgspec.structs.replace(held.progress, diverged=True, plan_sha256=own.plan_sha256)
    save_checkpoint(path, Checkpoint(progress, held.tensors))
    return progress.epochs_done


def cut_log(path: Path, *, epochs: int) -> None:
    """Keep the lines of the log up to an epoch: those after it were never checkpointed."""
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if json.loads(line)["epoch"] <= epochs:
                kept.append(line)
        except (ValueError, TypeError, KeyError):  # the line that a kill cut short
            continue
    write_aside(path, b"".join(kept))


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimizer's moments as flat named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value).clone()
        for index, moments in state.items()
        for name, value in moments.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**whole, "state": state})


def state_copy(module: nn.Module) -> dict[str, Tensor]:
    """Return a detached copy of a module's parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
