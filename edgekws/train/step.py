"""One step of training: a batch is heard, its loss sends gradients back, the weights move."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from edgekws.specs import RESERVED_LABELS
from edgekws.train.augment import mask_spectrum
from edgekws.train.batches import Examples
from edgekws.train.clipping import clip_gradients
from edgekws.train.evaluate import Normalizer
from edgekws.train.losses import Foretelling, Heard, Teacher, batch_loss
from edgekws.train.nets import StreamingNet
from edgekws.train.quantization import rounded
from edgekws.train.ranks import ALONE, Ranks
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_training import PhaseRecipe, Precision


class NoNumberError(ArithmeticError):
    """A loss or a gradient is infinite or no number; the weights were not moved by it."""


@dataclass
class Step:
    """What a batch goes through in a phase, from audio to moved weights."""

    net: StreamingNet
    features: Normalizer
    labels: tuple[str, ...]
    recipe: Recipe
    teacher: Teacher | None = None
    foretellings: Sequence[Foretelling] = ()
    ranks: Ranks = ALONE
    commands: Tensor = field(init=False)  # (labels,) bool

    def __post_init__(self) -> None:
        self.commands = torch.tensor([label not in RESERVED_LABELS for label in self.labels])

    def take(
        self,
        examples: Examples,
        optimizer: torch.optim.Optimizer,
        phase: PhaseRecipe,
        masks: torch.Generator,
    ) -> float:
        """Move the weights by one batch; return its loss. NoNumberError where it is none.

        `examples` are this rank's part of the batch; the loss and the weights are those of all.
        """
        settings = self.recipe.optimizer
        with computing_as(self.net, phase):
            heard = self._hear(examples, masks)
            loss = batch_loss(
                heard, settings, self.commands, teacher=self.teacher, foretellings=self.foretellings
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        loss = loss.detach()
        share = len(examples.classes) / settings.batch
        self.ranks.average([loss, *_learned(self.net, optimizer)], share=share)
        size = clip_gradients(
            self.net.parameters(), settings.gradient_clipping, settings.gradient_norm
        )
        value = float(loss)
        if not math.isfinite(value + size):
            raise NoNumberError
        optimizer.step()
        return value

    def _hear(self, examples: Examples, masks: torch.Generator) -> Heard:
        settings, per_row = self.recipe.optimizer, self.net.config.frames_per_score
        with torch.no_grad():
            log_mel = self.features.frontend.log_mel(examples.audio)
            masked = mask_spectrum(log_mel, self.recipe.augment, masks)
            cepstra = self.features.frontend.cepstra(masked)
            x = self.features.normalized(cepstra[:, cepstra.shape[1] % per_row :])  # clip at end
            if examples.undisturbed is not None:
                cepstra = self.features.frontend(examples.undisturbed)
        with arithmetic(settings.precision):
            embeddings = self.net.last_embeddings(x, max(1, settings.scored_frames // per_row))
            logits = self.net.head(self.net.dropout(embeddings))
        return Heard(cepstra, examples.classes, examples.clips, embeddings.float(), logits.float())


def _learned(net: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    """Give what a batch has said: gradients, and the running statistics of norms that learn.

    Each rank normalizes by its part of the batch; the mean of what they keep is that of the whole
    batch, but for the variance between the parts.
    """
    for group in optimizer.param_groups:
        yield from (p.grad for p in group["params"] if p.grad is not None)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.training:
            yield from (x for x in module.buffers(recurse=False) if x.is_floating_point())


def computing_as(net: nn.Module, phase: PhaseRecipe) -> AbstractContextManager[None]:
    """Return the arithmetic of a phase: float, or rounded as the int8 model's."""
    return rounded(net) if phase.quantization_aware else nullcontext()


def arithmetic(precision: Precision) -> torch.autocast:
    """Return the context of the forward pass: all in float32, or most of it in bfloat16."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
