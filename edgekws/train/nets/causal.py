"""Causal building blocks whose past is an explicit tensor, so that a clip and a stream agree."""

import torch
from torch import Tensor, nn


class CausalConv(nn.Module):
    """A 1-D convolution, batch norm and optional ReLU that see no future.

    The state is the inputs that it sees again, (batch, channels_in, history), as many as its kernel
    spans without a stride. A call with n * stride frames gives n, each of which ends exactly at its
    newest input frame.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.history = (kernel - 1) * dilation + 1 - stride
        self.conv = nn.Conv1d(
            channels_in,
            channels_out,
            kernel,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm1d(channels_out)
        self.relu = relu

    def state_shape(self) -> tuple[int, int, int]:
        """Return the shape of the state of one stream, (1, channels_in, history)."""
        return (1, self.conv.in_channels, self.history)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels_in, frames) and the state; give (batch, channels_out, n) and it."""
        x = torch.cat((state, x), dim=2)  # (b, c, history + frames)
        state = x[:, :, x.shape[2] - self.history :]
        y = self.norm(self.conv(x))
        return (torch.relu(y) if self.relu else y), state

    def macs_per_output(self) -> int:
        """Return multiply-accumulates for one output frame."""
        return self.conv.weight.numel()


class Pointwise(nn.Module):
    """A 1x1 convolution, batch norm and optional ReLU: it needs no past."""

    def __init__(self, channels_in: int, channels_out: int, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, 1, bias=False)
        self.norm = nn.BatchNorm1d(channels_out)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, channels_in, frames); return (batch, channels_out, frames)."""
        y = self.norm(self.conv(x))
        return torch.relu(y) if self.relu else y

    def macs_per_output(self) -> int:
        """Return multiply-accumulates for one output frame."""
        return self.conv.weight.numel()


class SlidingPool(nn.Module):
    """Mean and maximum over the last `frames` embeddings, side by side.

    The state is the last `frames - 1` embeddings, (batch, channels, frames - 1).
    """

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.channels, self.frames = channels, frames

    def state_shape(self) -> tuple[int, int, int]:
        """Return the shape of the state of one stream, (1, channels, frames - 1)."""
        return (1, self.channels, self.frames - 1)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels, n) and the state; return (batch, 2 * channels, n) and it."""
        x = torch.cat((state, x), dim=2)  # (b, c, frames - 1 + n)
        state = x[:, :, x.shape[2] - (self.frames - 1) :]
        mean = nn.functional.avg_pool1d(x, self.frames, stride=1)
        peak = nn.functional.max_pool1d(x, self.frames, stride=1)
        return torch.cat((mean, peak), dim=1), state
