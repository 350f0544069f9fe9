"""Learning to tell the language of a command too: one backbone for several languages.

A linear layer beside the head names the language from the net's embedding; it is trained with the
net and thrown away afterwards (Caruana 1997, "Multitask learning").
"""

from typing import Final

import torch
from torch import Tensor, nn

from edgekws.errors import ConfigError
from edgekws.specs import RESERVED_LABELS
from edgekws.train.dataset import Corpus
from edgekws.train.nets import StreamingNet
from edgekws.train.recipe import Recipe

NO_LANGUAGE: Final = -1  # of noise, and of words that are no command


class LanguageHead(nn.Module):
    """The layer that names languages, and the language of each training clip.

    `languages` is (clips,), `NO_LANGUAGE` for clips without one.
    """

    languages: Tensor

    def __init__(self, width: int, languages: Tensor, *, weight: float) -> None:
        super().__init__()
        self.foretell = nn.Linear(width, int(languages.max()) + 1)
        self.weight = weight
        self.register_buffer("languages", languages, persistent=False)

    def forward(self, embeddings: Tensor, clips: Tensor) -> Tensor:
        """Return the weighted mean cross-entropy of (batch, rows, width) embeddings of clips.

        `clips` is (batch,), -1 for noise alone. Only clips with a language count.
        """
        said = torch.where(clips >= 0, self.languages[clips.clamp(min=0)], NO_LANGUAGE)
        rows = said.repeat_interleave(embeddings.shape[1])  # (batch * rows,)
        logits = self.foretell(embeddings).flatten(0, 1)
        total = nn.functional.cross_entropy(logits, rows, ignore_index=NO_LANGUAGE, reduction="sum")
        return self.weight * total / (rows != NO_LANGUAGE).sum().clamp(min=1)


def build_language_head(recipe: Recipe, net: StreamingNet, corpus: Corpus) -> LanguageHead:
    """Return the layer for the languages of a corpus; ConfigError where there is only one."""
    commands = corpus.labels[len(RESERVED_LABELS) :]
    names = recipe.data.languages_of(commands)
    if len(names) < 2:
        raise ConfigError(
            f"recipe {recipe.name!r}: multitask.language_weight needs commands of two languages or "
            f"more, all are of {names[0]!r}; name the others' in [data.languages], or leave "
            "[multitask] out"
        )
    places = {label: names.index(recipe.data.language_of(label)) for label in commands}
    said = [places.get(clip.label, NO_LANGUAGE) for clip in corpus.of("training")]
    return LanguageHead(
        net.head.in_features, torch.tensor(said), weight=recipe.multitask.language_weight
    )
