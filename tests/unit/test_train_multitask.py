"""The head for language: what it counts, that it is learned and resumed, and when it cannot be."""

from pathlib import Path
from typing import Final

import pytest
import torch

from edgekws.errors import ConfigError
from edgekws.specs import UNKNOWN
from edgekws.train.multitask import LanguageHead, build_language_head
from edgekws.train.recipe import Recipe, load_recipe
from tests.loops import SAME, StoppedError, StopsAt, net, trainer
from tests.runs import LABELS, SMALL_NET, trained
from tests.training import recipe_of, recipe_text, tone_corpus, write_recipe
from tests.unit.test_train_distillation import teacher_of_tones

WIDTH: Final = 6
CLOSE: Final = 1e-6  # a mean over a few float32 values
COMMANDS: Final = LABELS[2:]
TWO: Final = f"[multitask]\nlanguage_weight = 0.5\n[data.languages]\n{COMMANDS[0]!r} = 'cmn'"


def two_languages(*, epochs: int) -> Recipe:
    phases = ((epochs, 0.01, 0.01),)
    return recipe_of(recipe_text(phases=phases, examples=128, extra=TWO))


def test_the_cost_is_the_weighted_mean_entropy_of_clips_with_a_language() -> None:
    head = LanguageHead(WIDTH, torch.tensor([0, -1, 1]), weight=2.0)
    embeddings = torch.randn(4, 2, WIDTH, generator=torch.Generator().manual_seed(2))
    found = head(embeddings, torch.tensor([2, 1, -1, 0]))
    said = head.foretell(embeddings).log_softmax(2)
    expected = -2.0 * torch.cat([said[0, :, 1], said[3, :, 0]]).mean()
    assert found.item() == pytest.approx(expected.item(), abs=CLOSE)


def test_a_batch_without_any_language_costs_nothing_and_moves_nothing() -> None:
    head = LanguageHead(WIDTH, torch.tensor([-1, 1]), weight=1.0)
    embeddings = torch.randn(2, 3, WIDTH, requires_grad=True)
    cost = head(embeddings, torch.tensor([0, -1]))
    cost.backward()
    assert cost.item() == 0.0
    assert embeddings.grad is not None
    assert not bool(embeddings.grad.any())


def test_commands_have_their_language_and_other_words_none() -> None:
    corpus = tone_corpus()
    head = build_language_head(two_languages(epochs=1), net(), corpus)
    assert head.foretell.out_features == 2
    for clip, language in zip(corpus.of("training"), head.languages.tolist(), strict=True):
        own = -1 if clip.label == UNKNOWN else int(clip.label != COMMANDS[0])
        assert language == own, clip.label


def test_an_embedding_comes_to_tell_the_language(tmp_path: Path) -> None:
    chosen, corpus = two_languages(epochs=4), tone_corpus()
    start = net()
    start.load_state_dict(trained().net.state_dict())  # it tells the tones apart
    made = trainer(tmp_path, chosen, corpus=corpus, start=start)
    head = build_language_head(chosen, made.net, corpus)
    made.beside["language"] = head
    clips = [n for n, clip in enumerate(corpus.of("training")) if clip.label != UNKNOWN]
    audio = torch.stack([torch.from_numpy(corpus.of("training")[n].pcm).float() for n in clips])
    best = made.run()
    with torch.no_grad():
        window = made.features(audio)[:, -SMALL_NET.window_frames :]
        told = head.foretell(made.net.eval().last_embeddings(window, 1))[:, 0].argmax(1)
    right = (told == head.languages[clips]).float().mean()
    assert right > 0.9  # measured 1.0, 0.5 is chance
    assert not any("language" in name or "foretell" in name for name in best.state_dict())


def test_an_interrupted_training_goes_on_as_never_stopped_whatever_is_beside(
    tmp_path: Path,
) -> None:
    chosen, corpus = two_languages(epochs=3), tone_corpus()

    def run(folder: Path, stop: StopsAt | None = None) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(7)
        made = trainer(folder, chosen, corpus=corpus, reporter=stop)
        made.beside["language"] = build_language_head(chosen, made.net, corpus)
        made.beside["distillation"] = teacher_of_tones(made.net.head.in_features)
        return (*made.run().state_dict().values(), *made.beside.state_dict().values())

    wanted = run(tmp_path / "whole")
    with pytest.raises(StoppedError):
        run(tmp_path / "parts", StopsAt(epoch=2, batch=None))
    for found, tensor in zip(run(tmp_path / "parts"), wanted, strict=True):
        assert torch.allclose(found.double(), tensor.double(), atol=SAME)


def test_labels_of_one_language_are_a_fault_of_the_recipe(tmp_path: Path) -> None:
    extra = "[multitask]\nlanguage_weight = 0.5"
    text = recipe_text(labels=["an", "aus"], extra=extra)
    with pytest.raises(ConfigError, match=r"language_weight: all labels are of one language"):
        load_recipe(write_recipe(tmp_path / "mine.toml", text))


def test_folders_of_one_language_are_one_too() -> None:
    chosen = recipe_of(recipe_text(extra="[multitask]\nlanguage_weight = 0.5"))
    with pytest.raises(ConfigError, match=r"two languages or more, all are of 'en'"):
        build_language_head(chosen, net(), tone_corpus())
