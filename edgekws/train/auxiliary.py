"""What learns beside the net in a run and is thrown away after it, as the recipe asks for."""

from pathlib import Path

from torch import nn

from edgekws.train.dataset import Corpus
from edgekws.train.distillation import CACHE_FILE, build_distillation
from edgekws.train.multitask import build_language_head
from edgekws.train.nets import StreamingNet
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe


def build_beside(
    recipe: Recipe, net: StreamingNet, corpus: Corpus, *, folder: Path, reporter: Reporter
) -> nn.ModuleDict:
    """Return the modules by their names in checkpoints; a teacher's cache is in `folder`.

    Raises ConfigError for a teacher that is not there, and for commands of one language only.
    """
    beside = nn.ModuleDict()
    if recipe.multitask.language_weight > 0:
        beside["language"] = build_language_head(recipe, net, corpus)
    if recipe.distillation and recipe.distillation.embedding:
        beside["distillation"] = build_distillation(
            recipe.distillation, net, corpus, cache=folder / CACHE_FILE, reporter=reporter
        )
    return beside
