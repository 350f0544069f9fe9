"""The training loop: frozen stays frozen, it stops early, and going on is as never stopped."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
import torch

from edgekws.errors import ConfigError, RunError
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.adjustment import adjust_head
from edgekws.train.evaluate import clip_logits
from edgekws.train.loop import CHECKPOINT_FILE
from edgekws.train.nets import StreamingTcn
from edgekws.train.patience import EpochFigures
from tests.loops import (
    SAME,
    SHA,
    Phases,
    StoppedError,
    StopsAt,
    largest_difference,
    log_of,
    net,
    recipe,
    trainer,
    with_options,
)
from tests.runs import LABELS, SMALL_NET, trained
from tests.training import quiet, tone_corpus

STILL: Final = 1e-12  # a rate too small to move a float32: no epoch is better than the first
HEAD_FIRST: Final[Phases] = ((2, 0.01, 0.0), (2, 0.01, 0.005))


def backbone(net: StreamingTcn) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in net.state_dict().items() if not k.startswith("head.")}


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


def test_logit_adjustment_takes_the_shares_of_the_examples_out_of_the_scores(
    tmp_path: Path,
) -> None:
    many = recipe(((2, 0.01, 0.01),))
    data = msgspec.structs.replace(many.data, unknown_fraction=0.9, silence_fraction=0.2)
    many = msgspec.structs.replace(many, data=data)
    logits = []
    for adjusted in (False, True):
        chosen = with_options(many, optimizer={"logit_adjustment": adjusted})
        made = trainer(tmp_path / str(adjusted), chosen)
        logits.append(clip_logits(made.run(), made.features, made.validation.pcm))
    shares = [0.2, 0.8 * 0.9, 0.8 * 0.05, 0.8 * 0.05]  # two commands share what is left
    assert LABELS[:2] == (SILENCE, UNKNOWN)
    moved = logits[1] - logits[0]
    np.testing.assert_allclose(moved, np.broadcast_to(-np.log(shares), moved.shape), atol=SAME)


def test_a_label_without_examples_is_adjusted_like_the_rarest() -> None:
    head = torch.nn.Linear(2, 3)
    before = head.bias.detach().clone()
    adjust_head(head, [0.9, 0.1, 0.0])
    expected = before - torch.tensor([0.9, 0.1, 0.1]).log()
    torch.testing.assert_close(head.bias.detach(), expected)


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
    with pytest.raises(ConfigError, match=r"at step 1 of epoch 1; lower the rates of phase 1"):
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
