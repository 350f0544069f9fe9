"""Distillation: the error to the teacher, and a net that comes to foretell it."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch

from edgekws.train.checkpoint import state_copy
from edgekws.train.distillation import Distillation
from tests.loops import SAME, StoppedError, StopsAt, trainer
from tests.training import recipe_of, recipe_text, tone_corpus
from tests.unit.test_train_loop import HEAD_FIRST

WIDTH: Final = 6
CLOSE: Final = 1e-6  # a mean over a few dozen float32 values


def targets(rows: int = 3, width: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(rows, width)).astype(np.float32))


def test_the_error_is_the_weighted_mean_square_of_clips_with_a_target() -> None:
    wanted = targets()
    wanted[1] = torch.nan
    teacher = Distillation(WIDTH, wanted, weight=2.0)
    embeddings = torch.randn(4, 2, WIDTH, generator=torch.Generator().manual_seed(2))
    found = teacher(embeddings, torch.tensor([2, 1, -1, 0]))
    said = teacher.foretell(embeddings)
    errors = [(said[0] - wanted[2]).square(), (said[3] - wanted[0]).square()]
    assert found.item() == pytest.approx(2.0 * torch.stack(errors).mean().item(), abs=CLOSE)


def test_without_any_target_there_is_no_error_and_no_nan() -> None:
    teacher = Distillation(WIDTH, torch.full((2, 4), torch.nan), weight=1.0)
    embeddings = torch.randn(2, 1, WIDTH, requires_grad=True)
    error = teacher(embeddings, torch.tensor([0, -1]))
    error.backward()
    assert error.item() == 0.0
    assert embeddings.grad is not None
    assert bool(embeddings.grad.isfinite().all())


def teacher_of_tones(width: int) -> Distillation:
    """Return a teacher that says the same of all clips of one label, other things of others."""
    clips = tone_corpus().of("training")
    names = sorted({clip.label for clip in clips})
    said = targets(len(names), 12)
    torch.manual_seed(5)
    return Distillation(width, said[[names.index(c.label) for c in clips]], weight=1.0)


def test_a_net_learns_to_foretell_its_teacher(tmp_path: Path) -> None:
    made = trainer(tmp_path, recipe_of(recipe_text(phases=((6, 0.01, 0.01),), examples=256)))
    made.beside["distillation"] = teacher_of_tones(made.net.head.in_features)
    before = state_copy(made.beside)
    made.run()
    first, *_, last = log_lines(tmp_path)
    assert last < 0.7 * first
    for name, tensor in made.beside.state_dict().items():
        assert not torch.equal(tensor, before[name]), name


def log_lines(folder: Path) -> list[float]:
    lines = (folder / "training.jsonl").read_text().splitlines()
    return [json.loads(line)["training_loss"] for line in lines]


def test_an_interrupted_distillation_goes_on_as_never_stopped(tmp_path: Path) -> None:
    recipe = recipe_of(recipe_text(phases=HEAD_FIRST))
    whole = trainer(tmp_path / "whole", recipe)
    whole.beside["distillation"] = teacher_of_tones(whole.net.head.in_features)
    wanted = whole.run()
    stopped = trainer(tmp_path / "parts", recipe, reporter=StopsAt(epoch=2, batch=None))
    stopped.beside["distillation"] = teacher_of_tones(whole.net.head.in_features)
    with pytest.raises(StoppedError):
        stopped.run()
    resumed = trainer(tmp_path / "parts", recipe)
    resumed.beside["distillation"] = teacher_of_tones(whole.net.head.in_features)
    found = resumed.run()
    for name, tensor in wanted.state_dict().items():
        assert torch.allclose(found.state_dict()[name].double(), tensor.double(), atol=SAME), name
