"""Several processes, one training: each its own examples, the same steps, failures said once."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from edgekws.errors import ConfigError, DataError, EdgekwsError, RunError
from edgekws.specs import MFCC_40
from edgekws.train.batches import ExampleStream, Window
from edgekws.train.loop import CHECKPOINT_FILE, Trainer
from edgekws.train.losses import Heard
from edgekws.train.nets import StreamingTcn
from edgekws.train.processes import run_in_processes
from edgekws.train.ranks import Ranks, agreed
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_data import AugmentRecipe
from edgekws.train.recipe_training import DistillationRecipe
from tests.loops import largest_difference, log_of, net, recipe, trainer, with_options
from tests.orphans import assert_none_is_left
from tests.runs import trained
from tests.training import tone_corpus

SAME_STEPS: Final = 1e-5
"""Weights after four steps of 0.01 each: one sum of 32 gradients in float32, or two of 16; measured
5e-7."""
WINDOW: Final = Window(24, MFCC_40)
UNDISTURBED: Final = AugmentRecipe(
    shift_samples=0,
    lead_frames=(0,),
    joined_probability=0.0,
    noise_probability=0.0,
    gain_db=(0.0, 0.0),
    speed_probability=0.0,
    reverb_probability=0.0,
    frequency_masks=0,
    time_masks=0,
)


def undisturbed(epochs: int, *, backbone_rate: float) -> Recipe:
    """Return a recipe of one step to an epoch, in which nothing is drawn but who speaks."""
    chosen = recipe(((epochs, 0.01, backbone_rate),), examples=32)
    last = with_options(chosen, optimizer={"average": "none"})
    return replace(last, augment=UNDISTURBED, data=replace(last.data, silence_fraction=0.0))


def train_in_two(made: Trainer) -> StreamingTcn:
    """Return the best net of a training in two processes."""

    def work(ranks: Ranks) -> None:
        made.ranks = ranks
        made.run()

    run_in_processes(work, 2, threads=1)
    best = made.result()
    assert isinstance(best, StreamingTcn)
    return best


class Senseless:
    """A teacher whose loss is no number."""

    weight = 0.5

    def loss(self, heard: Heard) -> torch.Tensor:
        return heard.logits.sum() * torch.nan


@pytest.mark.parametrize("count", [2, 3])
def test_ranks_share_every_batch_and_no_example_is_of_two(count: int) -> None:
    taught = DistillationRecipe(teacher="big", undisturbed=True)
    chosen = replace(undisturbed(1, backbone_rate=0.01), distillation=taught)
    corpus = tone_corpus()
    whole = next(iter(ExampleStream(corpus, chosen, WINDOW, epoch=5)))
    parts = [
        next(iter(ExampleStream(corpus, chosen, WINDOW, epoch=5, ranks=Ranks(rank, count))))
        for rank in range(count)
    ]
    assert sum(len(part.classes) for part in parts) == len(whole.classes) == 32
    for rank, part in enumerate(parts):
        for ours, of_all in zip(part, whole, strict=True):
            torch.testing.assert_close(ours, of_all[rank::count], rtol=0, atol=0)


def test_ranks_distort_in_their_own_ways_and_the_same_again() -> None:
    corpus, chosen = tone_corpus(), recipe(((1, 0.01, 0.01),), examples=64)

    def epoch(ranks: Ranks) -> list[torch.Tensor]:
        return [x.audio for x in ExampleStream(corpus, chosen, WINDOW, epoch=2, ranks=ranks)]

    first, again, other = epoch(Ranks(0, 2)), epoch(Ranks(0, 2)), epoch(Ranks(1, 2))
    assert len(first) == len(other) == 2
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    lengths = [x.audio.shape[1] for x in ExampleStream(corpus, chosen, WINDOW, epoch=2)][:1]
    assert [x.shape[1] for x in (first[0], other[0])] == 2 * lengths


def test_steps_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    """The backbone is frozen: a norm that learns would see half of the batch."""
    chosen = undisturbed(4, backbone_rate=0.0)

    def start() -> StreamingTcn:
        begun = net()
        begun.load_state_dict({**trained().net.state_dict(), **_head(net())})
        return begun

    one = trainer(tmp_path / "one", chosen, start=start()).run()
    two = train_in_two(trainer(tmp_path / "two", chosen, start=start()))
    assert isinstance(one, StreamingTcn)
    assert largest_difference(one, start()) > 0.02
    assert largest_difference(one, two) <= SAME_STEPS
    for ours, theirs in zip(log_of(tmp_path / "one"), log_of(tmp_path / "two"), strict=True):
        assert ours["training_loss"] == pytest.approx(theirs["training_loss"], rel=1e-5)


def _head(of: StreamingTcn) -> dict[str, torch.Tensor]:
    return {name: x for name, x in of.state_dict().items() if name.startswith("head.")}


def test_statistics_of_norms_are_of_the_whole_batch(tmp_path: Path) -> None:
    """Means of two equal halves have the mean of the whole; what later norms see differs."""
    chosen = undisturbed(1, backbone_rate=0.01)
    one = trainer(tmp_path / "one", chosen).run().state_dict()
    two = train_in_two(trainer(tmp_path / "two", chosen)).state_dict()
    first = next(name for name in one if name.endswith("running_mean"))
    assert float(one[first].abs().max()) > 100 * SAME_STEPS
    np.testing.assert_allclose(one[first], two[first], rtol=0, atol=SAME_STEPS)


def test_a_loss_that_is_no_number_in_one_process_stops_all_at_that_step(tmp_path: Path) -> None:
    made = trainer(tmp_path, recipe(((1, 0.01, 0.01),), examples=64))

    def work(ranks: Ranks) -> None:
        made.ranks, made.teacher = ranks, Senseless() if ranks.rank == 1 else None
        made.run()

    with pytest.raises(ConfigError, match=r"no number any more at step 1 of epoch 1; lower"):
        run_in_processes(work, 2, threads=1)
    assert not (tmp_path / CHECKPOINT_FILE).exists()


def test_what_fails_in_one_ends_all(tmp_path: Path) -> None:
    def work(ranks: Ranks) -> None:
        if ranks.rank == 1:
            raise OSError(28, "No space left on device")
        ranks.all_told("waiting")

    with pytest.raises(RunError, match=r"process 1 of 2: unforeseen OSError: .*No space left"):
        run_in_processes(work, 2, threads=1)


def test_a_rank_whose_parent_is_killed_before_it_began_ends_too() -> None:
    assert_none_is_left("""
from edgekws.train.processes import run_in_processes

run_in_processes(lambda ranks: None, 2, threads=1)
""")


def prepared(recordings: str) -> str:
    if not recordings:
        raise DataError("gone: no such folder")
    return recordings


@pytest.mark.parametrize(
    ("recordings", "kind", "words"),
    [
        (("ours", "ours"), None, ""),
        (("", ""), DataError, "^gone: no such folder"),
        (("ours", ""), RunError, "^process 1 of 2: gone: no such folder"),
        (("ours", "others"), RunError, "process 1 of 2 has another recipe or other recordings"),
    ],
    ids=["alike", "both fail", "one fails", "other recordings"],
)
def test_all_begin_or_none(
    recordings: tuple[str, str], kind: type[EdgekwsError] | None, words: str
) -> None:
    def work(ranks: Ranks) -> None:
        try:
            agreed(ranks, lambda: prepared(recordings[ranks.rank]), lambda made: made)
        except EdgekwsError:
            if ranks.leads:
                raise

    if kind is None:
        run_in_processes(work, 2, threads=1)
        return
    with pytest.raises(kind, match=words):
        run_in_processes(work, 2, threads=1)
