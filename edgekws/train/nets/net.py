"""What all nets share: the way from embeddings to labels, states, cost, the types of sizes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta
from torch import Tensor, nn

States = tuple[Tensor, ...]
Size = Annotated[int, Meta(ge=1)]
Dropout = Annotated[float, Meta(ge=0, lt=1)]


class Cost(NamedTuple):
    """What a net weighs: parameters, and multiply-accumulates per score row."""

    parameters: int
    macs_per_row: int


class LabelNet(nn.Module, ABC):
    """From features to embeddings to labels: what a member does not say of itself.

    A member makes its layers, `dropout` and `head` among them.
    """

    dropout: nn.Dropout
    head: nn.Linear

    @abstractmethod
    def state_shapes(self) -> Sequence[tuple[int, ...]]:
        """Return the state shapes of one stream, in the order of `embeddings`."""

    @abstractmethod
    def embeddings(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Return embeddings (batch, rows, width) of (batch, frames, n_features), and states."""

    def upper(self) -> list[nn.Module]:
        """Return the parts that learn at the rate of the head: it alone, if a member says none."""
        return [self.head]

    def zero_states(self, batch: int = 1) -> States:
        """Return the states of `batch` streams at their start."""
        like = self.head.weight
        return tuple(like.new_zeros((batch, *shape[1:])) for shape in self.state_shapes())

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Take normalized (batch, frames, n_features); return logits (batch, rows, labels)."""
        embedded, after = self.embeddings(x, states)
        return self.head(self.dropout(embedded)), after

    def last_embeddings(self, x: Tensor, count: int) -> Tensor:
        """Return the last `count` embeddings of whole clips, (batch, count, width)."""
        embedded, _ = self.embeddings(x, self.zero_states(len(x)))
        return embedded[:, -count:]

    def last_rows(self, x: Tensor, count: int) -> Tensor:
        """Return the last `count` rows of logits of whole clips, (batch, count, labels)."""
        logits: Tensor = self.head(self.dropout(self.last_embeddings(x, count)))
        return logits
