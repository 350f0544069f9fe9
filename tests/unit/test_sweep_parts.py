"""What a sweep is made of: the space around a recipe, the figure it compares by, its memory."""

import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.errors import RunError
from edgekws.train.sweep_score import calibrated_loss
from edgekws.train.sweep_space import Point, Space
from edgekws.train.sweep_study import Memory, open_memory
from tests.needs import lacking
from tests.training import recipe_of, recipe_text

ROUNDING: Final = 1e-9  # of float64 sums
PHASES: Final = ((2, 0.01, 0.0), (4, 0.02, 0.004))


def space_of(*, phases: tuple[tuple[int, float, float], ...] = PHASES, extra: str = "") -> Space:
    return Space(recipe_of(recipe_text(phases=phases, extra=extra)))


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    if importlib.util.find_spec("optuna") is None:
        lacking("needs optuna: pip install 'edgekws[sweep]'")
    return open_memory(tmp_path / "sweep", "mine", space_of())


def test_the_start_of_a_space_is_the_recipe_itself() -> None:
    space = space_of()
    assert space.recipe_at(space.start()) == space.recipe


def test_a_point_scales_rates_and_augmentation_and_moves_epochs() -> None:
    space = space_of(extra="[augment]\nspeed_probability = 0.8\ntime_mask_frames = 10")
    recipe = space.recipe_at(
        Point(
            unknown_fraction=0.4,
            label_smoothing=0.1,
            augmentation_factor=1.5,
            head_rate_factor=2.0,
            backbone_rate_factor=0.5,
            first_epochs=5,
        )
    )
    assert [phase.epochs for phase in recipe.phases] == [5, 1]
    assert [phase.head_rate for phase in recipe.phases] == [0.02, 0.04]
    assert [phase.backbone_rate for phase in recipe.phases] == [0.0, 0.002]
    assert (recipe.data.unknown_fraction, recipe.optimizer.label_smoothing) == (0.4, 0.1)
    assert recipe.augment.speed_probability == 1.0  # 1.2 is no probability
    assert recipe.augment.time_mask_frames == 15
    assert recipe.augment.shift_samples == space.recipe.augment.shift_samples


def test_what_a_recipe_does_not_have_is_not_searched(memory: Memory) -> None:
    assert memory.space.distributions().keys() == set(Point.__struct_fields__)
    one = space_of(phases=((3, 0.01, 0.0),)).distributions()
    assert set(Point.__struct_fields__) - one.keys() == {"first_epochs", "backbone_rate_factor"}


def test_the_ranges_hold_the_recipes_own_values(memory: Memory) -> None:
    text = recipe_text(phases=PHASES).replace("unknown_fraction = 0.3", "unknown_fraction = 0.9")
    space = Space(recipe_of(text))
    for name, distribution in space.distributions().items():
        value = getattr(space.start(), name)
        assert distribution.low <= value <= distribution.high, name  # type: ignore[attr-defined]


def test_a_study_begins_with_the_recipe_then_searches(memory: Memory) -> None:
    points = []
    for loss in (0.5, 0.3, 0.4):
        trial, point = memory.next()
        memory.finish(trial, loss, seconds=2.0)
        points.append(point)
    assert points[0] == memory.space.start()
    assert len(set(points)) == 3
    assert memory.best() == (points[1], 0.3)
    assert memory.seconds() == [2.0, 2.0, 2.0]


def test_a_study_goes_on_in_another_process_with_what_was_interrupted(
    memory: Memory, tmp_path: Path
) -> None:
    trial, first = memory.next()
    memory.finish(trial, 0.5, seconds=1.0)
    _, interrupted = memory.next()
    again = open_memory(tmp_path / "sweep", "mine", memory.space)
    assert again.best() == (first, 0.5)
    assert again.seconds() == [1.0]
    trial, point = again.next()
    assert point == interrupted
    again.finish(trial, 0.2, seconds=3.0)
    assert again.best() == (point, 0.2)
    _, new = again.next()
    assert new not in (first, interrupted)
    assert again.failures() == 0


def test_what_could_not_be_trained_counts_but_is_never_the_best(memory: Memory) -> None:
    trial, _ = memory.next()
    memory.finish(trial, None, seconds=4.0)
    assert memory.best() is None
    assert (memory.failures(), memory.seconds()) == (1, [4.0])


def test_another_name_in_the_same_file_is_another_study(memory: Memory, tmp_path: Path) -> None:
    trial, _ = memory.next()
    memory.finish(trial, 0.1, seconds=1.0)
    other = open_memory(tmp_path / "sweep", "other", memory.space)
    assert other.best() is None


def test_a_folder_of_any_name_holds_a_study(memory: Memory, tmp_path: Path) -> None:
    odd = open_memory(tmp_path / "a?b#c %20" / "sweep", "mine", memory.space)
    trial, _ = odd.next()
    odd.finish(trial, 0.1, seconds=1.0)
    assert (tmp_path / "a?b#c %20" / "sweep" / "study.sqlite").stat().st_size > 0


def test_a_file_that_is_no_study_is_named(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    path = tmp_path / "bad" / "study.sqlite"
    path.write_bytes(b"no database" * 99)
    with pytest.raises(RunError, match="not a usable study") as fault:
        open_memory(tmp_path / "bad", "mine", memory.space)
    assert str(path) in str(fault.value)
    assert "\n" not in str(fault.value)


def test_the_calibrated_loss_does_not_depend_on_scale_and_falls_with_errors() -> None:
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 4, 200)
    logits = rng.normal(size=(200, 4)).astype(np.float32)
    logits[np.arange(200), classes] += 2.0
    loss = calibrated_loss(logits, classes)
    step = np.float32(4.0 ** (4 / 16))  # by a whole number of its temperatures
    assert calibrated_loss(logits * step, classes) == pytest.approx(loss, rel=1e-5)
    wrong = logits.copy()
    wrong[:20] = np.roll(wrong[:20], 1, axis=1)
    assert calibrated_loss(wrong, classes) > loss
    assert calibrated_loss(np.zeros((200, 4), np.float32), classes) == pytest.approx(
        np.log(4), abs=ROUNDING
    )
