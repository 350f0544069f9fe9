"""A finished run as a teacher: its scores by label, what it cannot teach, and what is learned."""

import copy
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from edgekws.errors import ConfigError, RunError
from edgekws.specs import MFCC_40
from edgekws.train.batches import ExampleStream, Window
from edgekws.train.evaluate import clip_logits
from edgekws.train.losses import Heard
from edgekws.train.recipe_data import AugmentRecipe
from edgekws.train.recipe_training import DistillationRecipe
from edgekws.train.run import Run, save_run
from edgekws.train.soft_targets import SoftTeacher, load_soft_teacher
from tests.loops import recipe, trainer
from tests.runs import LABELS, trained

SAME: Final = 1e-5  # float32, over a batch and clip by clip
SWAPPED: Final = (*LABELS[:2], LABELS[3], LABELS[2])


def run_folder(folder: Path, run: Run | None = None) -> Path:
    save_run(folder, run or trained().run, trained().net)
    return folder


def teacher_of(folder: Path, labels: tuple[str, ...] = LABELS, **keys: float) -> SoftTeacher:
    made = load_soft_teacher(DistillationRecipe(teacher=str(folder), **keys), labels, MFCC_40)
    assert made is not None
    return made


def cepstra_of(teacher: SoftTeacher) -> Tensor:
    """Return (clips, frames, n_mfcc) of the held-out clips: one window of each."""
    frames = teacher.net.config.window_frames
    audio = torch.from_numpy(trained().heldout.astype(np.float32))
    return teacher.features.frontend(audio)[:, :frames]


def test_the_teacher_gives_what_its_run_gives(tmp_path: Path) -> None:
    teacher = teacher_of(run_folder(tmp_path / "big"))
    expected = clip_logits(trained().net, teacher.features, trained().heldout)
    found = teacher.logits(cepstra_of(teacher)).numpy()
    np.testing.assert_allclose(found, expected, atol=SAME)


def test_its_scores_come_in_the_order_of_the_students_labels(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "big")
    plain, swapped = teacher_of(folder), teacher_of(folder, SWAPPED)
    cepstra = cepstra_of(plain)
    assert torch.equal(swapped.logits(cepstra), plain.logits(cepstra)[:, [0, 1, 3, 2]])


def test_a_student_that_says_the_same_costs_nothing(tmp_path: Path) -> None:
    teacher = teacher_of(run_folder(tmp_path / "big"), temperature=4.0, weight=0.3)
    cepstra = cepstra_of(teacher)
    same = teacher.logits(cepstra)[:, None].repeat(1, 2, 1)
    assert teacher.weight == 0.3
    assert float(teacher.loss(heard(cepstra, same))) == pytest.approx(0.0, abs=SAME)
    assert float(teacher.loss(heard(cepstra, -same))) > 0.1


def heard(cepstra: Tensor, logits: Tensor) -> Heard:
    nothing = torch.zeros(len(cepstra), dtype=torch.int64)
    return Heard(cepstra, nothing, nothing, torch.zeros(len(cepstra), 2, 1), logits)


def test_where_no_teacher_is_named_there_is_no_teacher() -> None:
    assert load_soft_teacher(None, LABELS, MFCC_40) is None
    embedding = DistillationRecipe(embedding="speech-embedding")
    assert load_soft_teacher(embedding, LABELS, MFCC_40) is None


def test_other_labels_are_refused_by_name(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "big")
    with pytest.raises(ConfigError, match=r"big'.*not those of this training \(.*marvin.*\)"):
        teacher_of(folder, (*LABELS, "marvin"))


def test_other_features_are_refused(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(MFCC_40, hop=MFCC_40.hop * 2)
    run = msgspec.structs.replace(trained().run, features=spec)
    with pytest.raises(ConfigError, match="hears other features"):
        teacher_of(run_folder(tmp_path / "big", run))


def test_a_teacher_that_is_not_there_or_damaged_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no finished run"):
        teacher_of(tmp_path / "none")
    folder = run_folder(tmp_path / "big")
    (folder / "weights.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="weights"):
        teacher_of(folder)


@pytest.mark.parametrize(("weight", "believes"), [(1.0, "the teacher"), (0.0, "the labels")])
def test_a_student_believes_its_teacher_by_the_weight(
    tmp_path: Path, weight: float, believes: str
) -> None:
    misled = msgspec.structs.replace(trained().run, labels=SWAPPED)
    teacher = teacher_of(run_folder(tmp_path / "big", misled), weight=weight)
    start = copy.deepcopy(trained().net)
    made = trainer(
        tmp_path / "run", recipe(((2, 0.02, 0.01),), examples=256), start=start, teacher=teacher
    )
    made.run()
    logits = torch.from_numpy(clip_logits(made.net, teacher.features, trained().heldout))
    rising = logits[torch.from_numpy(trained().truths == 2)].softmax(1).mean(0)
    assert (
        LABELS[int(rising[2:].argmax()) + 2]
        == {
            "the teacher": SWAPPED[2],
            "the labels": LABELS[2],
        }[believes]
    )


class Listening:
    """A teacher that notes what it hears."""

    weight = 0.0

    def __init__(self) -> None:
        self.heard: list[Tensor] = []

    def loss(self, heard: Heard) -> Tensor:
        self.heard.append(heard.cepstra)
        return heard.logits.new_zeros(())


@pytest.mark.parametrize("undisturbed", [False, True])
def test_a_teacher_hears_what_the_student_hears_or_the_same_undisturbed(
    tmp_path: Path, undisturbed: bool
) -> None:
    distillation = DistillationRecipe(teacher="big", undisturbed=undisturbed)
    plain = AugmentRecipe(noise_probability=1.0, frequency_masks=0, time_masks=0)
    chosen = msgspec.structs.replace(
        recipe(((1, 0.01, 0.01),)), distillation=distillation, augment=plain
    )
    teacher = Listening()
    made = trainer(tmp_path / "run", chosen, teacher=teacher)
    made.run()
    window = Window(made.net.config.window_frames, MFCC_40)
    batches = list(ExampleStream(made.corpus, chosen, window, epoch=0))
    assert len(teacher.heard) == len(batches) > 1
    for heard, batch in zip(teacher.heard, batches, strict=True):
        audio = batch.undisturbed if undisturbed else batch.audio
        assert audio is not None
        assert torch.equal(heard, made.features.frontend(audio))
