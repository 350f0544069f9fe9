"""The training loop: frozen stays frozen, it stops early, and going on is as never stopped."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest
import torch

from edgekws.errors import ConfigError, RunError
from edgekws.specs import MFCC_40
from edgekws.train.dataset import Corpus
from edgekws.train.evaluate import Normalizer
from edgekws.train.frontend import TorchFrontend
from edgekws.train.loop import (
    CHECKPOINT_FILE,
    LOG_FILE,
    EpochFigures,
    Trainer,
    Validation,
    training_mode,
)
from edgekws.train.nets import StreamingTcn
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_training import PhaseRecipe
from edgekws.train.schedule import build_optimizer, set_rate
from tests.runs import CLIP, LABELS, SMALL_NET, trained
from tests.training import quiet, recipe_of, recipe_text, tone_corpus

SAME: Final = 1e-6
"""Weights of an interrupted and an uninterrupted run: the same arithmetic in the same order on one
thread; measured 0."""
STILL: Final = 1e-12  # a rate too small to move a float32: no epoch is better than the first
SHA: Final = "0" * 64
Phases = tuple[tuple[int, float, float], ...]
HEAD_FIRST: Final[Phases] = ((2, 0.01, 0.0), (2, 0.01, 0.005))


class StoppedError(Exception):
    """What Ctrl-C is to the loop, at a chosen moment."""


class StopsAt(Reporter):
    """A reporter in which the person loses patience, at a batch of an epoch or after an epoch."""

    def __init__(self, *, epoch: int, batch: int | None) -> None:
        super().__init__(1, quiet().out)
        self.stop_epoch, self.stop_batch = epoch, batch

    def batch(self, epoch: int, done: int, total: int, loss: float) -> None:
        if (epoch + 1, done) == (self.stop_epoch, self.stop_batch):
            raise StoppedError

    def epoch(self, figures: Any, best_epoch: int) -> None:
        if figures.epoch == self.stop_epoch and self.stop_batch is None:
            raise StoppedError


def recipe(phases: Phases, *, patience: int = 0, examples: int = 128) -> Recipe:
    return recipe_of(recipe_text(phases=phases, patience=patience, examples=examples))


def net() -> StreamingTcn:
    torch.manual_seed(3)
    return StreamingTcn(SMALL_NET, len(LABELS))


def trainer(
    folder: Path,
    chosen: Recipe,
    *,
    start: StreamingTcn | None = None,
    reporter: Reporter | None = None,
    corpus: Corpus | None = None,
    sha256: str = SHA,
) -> Trainer:
    torch.set_num_threads(1)
    tones, run = corpus or tone_corpus(), trained().run
    held = tones.of("validation")
    pcm = np.stack([clip.pcm[:CLIP] for clip in held])
    classes = np.array([tones.labels.index(clip.label) for clip in held], np.int64)
    features = Normalizer(TorchFrontend(MFCC_40), torch.tensor(run.mean), torch.tensor(run.scale))
    validation = Validation(pcm, classes)
    folder.mkdir(exist_ok=True)
    made = Trainer(
        start or net(), features, tones, validation, chosen, sha256, folder, reporter or quiet()
    )
    made.workers = 0
    return made


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]


def backbone(net: StreamingTcn) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in net.state_dict().items() if not k.startswith("head.")}


def largest_difference(a: StreamingTcn, b: StreamingTcn) -> float:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return max(float((x.double() - y.double()).abs().max()) for x, y in pairs)


def test_a_frozen_backbone_stays_as_it_was_batch_statistics_included(tmp_path: Path) -> None:
    before, start = backbone(trained().net), net()
    start.load_state_dict(trained().net.state_dict())
    best = trainer(tmp_path, recipe(((2, 0.01, 0.0),)), start=start).run()
    for name, tensor in backbone(best).items():
        assert torch.equal(tensor, before[name]), name
    assert not torch.equal(best.head.weight, trained().net.head.weight)


def test_the_second_phase_moves_the_backbone_and_its_batch_statistics(tmp_path: Path) -> None:
    start = net()
    before = backbone(start)
    made = trainer(tmp_path, recipe(HEAD_FIRST), start=start)
    made.run()
    after = backbone(made.net)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == before.keys()


def test_every_epoch_is_one_line_of_the_log(tmp_path: Path) -> None:
    trainer(tmp_path, recipe(HEAD_FIRST)).run()
    lines = log_of(tmp_path)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line["phase"] for line in lines] == [1, 1, 2, 2]
    for line in lines:
        assert list(line) == list(EpochFigures.__slots__)
        assert 0 <= line["validation_accuracy"] <= 1
        assert line["training_loss"] > 0


def test_the_best_epoch_is_what_comes_out(tmp_path: Path) -> None:
    made = trainer(tmp_path, recipe(((3, 0.01, 0.01),), examples=64))
    best = made.run()
    lines = log_of(tmp_path)
    kept = lines[made.progress.best_epoch - 1]
    assert made.progress.best_loss == pytest.approx(kept["validation_loss"])
    assert not any(
        line["validation_accuracy"] > kept["validation_accuracy"]
        and line["validation_loss"] < kept["validation_loss"]
        for line in lines
    )
    assert not best.training


@pytest.mark.parametrize("patience", [1, 3])
def test_a_phase_ends_after_so_many_epochs_without_a_better_loss(
    tmp_path: Path, patience: int
) -> None:
    hopeless = recipe(((9, STILL, 0.0), (1, 0.01, 0.01)), patience=patience, examples=32)
    trainer(tmp_path, hopeless).run()
    first = list(range(1, 2 + patience))
    assert [line["epoch"] for line in log_of(tmp_path)] == [*first, 10]
    assert [line["phase"] for line in log_of(tmp_path)] == [1] * len(first) + [2]


@pytest.mark.parametrize(
    ("epoch", "batch"), [(1, 1), (1, None), (2, None), (3, 2), (3, None), (4, 4), (4, None)]
)
def test_going_on_gives_what_an_uninterrupted_run_gives(
    tmp_path: Path, epoch: int, batch: int | None, uninterrupted: StreamingTcn
) -> None:
    chosen, stops = recipe(HEAD_FIRST), StopsAt(epoch=epoch, batch=batch)
    with pytest.raises(StoppedError):
        trainer(tmp_path, chosen, reporter=stops).run()
    reporter = quiet()
    best = trainer(tmp_path, chosen, reporter=reporter).run()
    assert largest_difference(best, uninterrupted) <= SAME
    assert [line["epoch"] for line in log_of(tmp_path)] == [1, 2, 3, 4]
    done = epoch if batch is None else epoch - 1
    said = reporter.out.getvalue()  # type: ignore[attr-defined]
    assert (f"going on after epoch {done}" in said) == (done > 0)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> StreamingTcn:
    return trainer(tmp_path_factory.mktemp("whole") / "run", recipe(HEAD_FIRST)).run()


def test_a_phase_that_had_stopped_early_does_not_go_on(tmp_path: Path) -> None:
    hopeless = recipe(((6, STILL, 0.0), (2, 0.01, 0.01)), patience=1, examples=32)
    whole = trainer(tmp_path / "whole", hopeless).run()
    with pytest.raises(StoppedError):
        trainer(tmp_path / "cut", hopeless, reporter=StopsAt(epoch=7, batch=1)).run()
    assert [line["epoch"] for line in log_of(tmp_path / "cut")] == [1, 2]
    best = trainer(tmp_path / "cut", hopeless).run()
    assert largest_difference(best, whole) <= SAME
    assert [line["epoch"] for line in log_of(tmp_path / "cut")] == [1, 2, 7, 8]


@pytest.mark.parametrize("other", ["recipe", "labels"])
def test_a_checkpoint_of_something_else_is_not_gone_on_from(tmp_path: Path, other: str) -> None:
    chosen = recipe(((1, 0.01, 0.01),), examples=32)
    trainer(tmp_path, chosen).run()
    corpus, reporter = tone_corpus(), quiet()
    if other == "labels":
        names = {"rising": "up", "falling": "falling", "_unknown_": "_unknown_"}
        clips = tuple(replace(clip, label=names[clip.label]) for clip in corpus.clips)
        corpus = replace(corpus, clips=clips, labels=(*LABELS[:2], "up", "falling"))
    sha256 = "f" * 64 if other == "recipe" else SHA
    trainer(tmp_path, chosen, corpus=corpus, sha256=sha256, reporter=reporter).run()
    assert "starting over" in reporter.out.getvalue()  # type: ignore[attr-defined]
    assert [line["epoch"] for line in log_of(tmp_path)] == [1]


def test_a_checkpoint_of_another_net_is_a_run_error(tmp_path: Path) -> None:
    chosen = recipe(((1, 0.01, 0.01),), examples=32)
    trainer(tmp_path, chosen).run()
    other = StreamingTcn(msgspec.structs.replace(SMALL_NET, embedding=8), len(LABELS))
    with pytest.raises(RunError, match=rf"{CHECKPOINT_FILE}: does not fit this net"):
        trainer(tmp_path, chosen, start=other).run()


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_phase(tmp_path: Path) -> None:
    start = net()
    with torch.no_grad():
        start.head.weight.fill_(torch.inf)
    with pytest.raises(ConfigError, match=r"epoch 1; lower the rates of phase 1"):
        trainer(tmp_path, recipe(((1, 0.01, 0.01),), examples=32), start=start).run()
    assert not (tmp_path / CHECKPOINT_FILE).exists()


def test_a_phase_in_eight_bits_learns_whole_weights_and_is_judged_anew(tmp_path: Path) -> None:
    chosen = recipe(((1, 0.01, 0.005), (1, 0.002, 0.001)))
    last = msgspec.structs.replace(chosen.phases[1], quantization_aware=True)
    aware = msgspec.structs.replace(chosen, phases=(chosen.phases[0], last))
    plain_run, aware_run = trainer(tmp_path / "plain", chosen), trainer(tmp_path / "aware", aware)
    plain, rounded = plain_run.run(), aware_run.run()
    assert aware_run.progress.best_epoch == 2  # whatever the float epoch before it reached
    assert 0.0 < largest_difference(plain, rounded) < 0.1
    weight = rounded.head.weight
    assert len(weight[0].unique()) > 0.9 * weight.shape[1]  # not left on the steps of seven bits


def test_rates_warm_up_and_then_fall_to_zero() -> None:
    phase = PhaseRecipe(epochs=4, head_rate=0.01, backbone_rate=0.001, warmup_fraction=0.25)
    optimizer = build_optimizer(net(), phase, recipe(HEAD_FIRST))
    rates = [set_rate(optimizer, phase, step, 10) for step in range(40)]
    assert rates[0] == pytest.approx(0.001)
    assert int(np.argmax(rates)) in (9, 10)
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] < 1e-4
    ratios = {group["lr"] / rates[-1] for group in optimizer.param_groups}
    assert sorted(ratios) == pytest.approx([0.1, 1.0])


def test_vectors_do_not_decay_and_what_is_frozen_is_not_optimized() -> None:
    frozen = PhaseRecipe(epochs=1, head_rate=0.01, backbone_rate=0.0)
    start = net()
    groups = build_optimizer(start, frozen, recipe(HEAD_FIRST)).param_groups
    assert sum(p.numel() for g in groups for p in g["params"]) == sum(
        p.numel() for p in start.head.parameters()
    )
    assert all((g["weight_decay"] > 0) == (g["params"][0].ndim > 1) for g in groups)
    training_mode(start, frozen)
    assert start.training
    assert not any(module.training for module in start.backbone())
