"""Logit adjustment: what a label's share of the training examples did to its scores, taken out.

Menon et al. 2021, after the training: the net has learned with each label as often as it came, so
a ranking of moments by one label's score stays nearly the same.
"""

from collections.abc import Sequence

import torch
from torch import nn


@torch.no_grad()
def adjust_head(head: nn.Linear, shares: Sequence[float]) -> None:
    """Let a head score as if each label were as likely as another.

    `shares` (labels,) are those of the examples; a label without any counts like the rarest.
    """
    known = torch.tensor(shares)
    head.bias.sub_(known.where(known > 0, known[known > 0].min()).log())
