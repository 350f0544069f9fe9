"""What all nets share: their states, their cost, and the types of their sizes."""

from typing import Annotated, NamedTuple

from msgspec import Meta
from torch import Tensor

States = tuple[Tensor, ...]
Size = Annotated[int, Meta(ge=1)]
Dropout = Annotated[float, Meta(ge=0, lt=1)]


class Cost(NamedTuple):
    """What a net weighs: parameters, and multiply-accumulates per score row."""

    parameters: int
    macs_per_row: int
