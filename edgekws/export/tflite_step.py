"""One step of the temporal convolution net in the layout of TFLite: states in and out, posteriors.

States are (1, 1, frames, channels). Batch norm is folded into the convolution before it.
"""

import torch
from torch import Tensor, nn

from edgekws.export.tflite_causal import Causal, Past, Pool, last_layer, pointwise
from edgekws.train.nets import StreamingTcn
from edgekws.train.nets.tcn import SeparableBlock


class TfliteStep(nn.Module):
    """Take (1, step_frames, n_features) and states; return posteriors (1, rows, labels) and states.

    A part that needs no past has no state: one whose history is of no frames is left out.
    """

    def __init__(self, net: StreamingTcn) -> None:
        super().__init__()
        self.stem = Causal(net.stem)
        self.blocks = nn.ModuleList(_Block(block) for block in net.stack())
        self.embed = pointwise(net.embed)
        self.order = None if net.order is None else Causal(net.order)
        self.pool = Pool(net.pool)
        self.head = last_layer(net.head)
        self.state_shapes = tuple(
            (1, 1, frames, channels) for _, channels, frames in net.state_shapes() if frames
        )

    def forward(self, features: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Run one step; states go in and come out in the same order."""
        past = Past(states)
        x = self.stem(features[:, None], past)  # (1, 1, frames, channels)
        for block in self.blocks:
            x = block(x, past)
        x = self.embed(x)
        if self.order is not None:
            x = self.order(x, past)
        logits = self.head(self.pool(x, past))
        return (torch.softmax(logits[:, 0], dim=-1), *past.after)


class _Block(nn.Module):
    """Depthwise and pointwise convolutions in turn, and the residual path."""

    def __init__(self, block: SeparableBlock) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(Causal(layer) for layer, _ in block.layers())
        self.pointwise = nn.ModuleList(pointwise(layer) for _, layer in block.layers())
        self.residual = block.residual

    def forward(self, x: Tensor, past: Past) -> Tensor:
        y = x
        for depthwise, mixing in zip(self.depthwise, self.pointwise, strict=True):
            y = mixing(depthwise(y, past))
        return torch.relu(y + x if self.residual else y)
