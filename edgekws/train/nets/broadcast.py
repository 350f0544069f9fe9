"""What BC-ResNet is made of: images of bands by time whose bands are seen whole, and no future.

Tensors are (batch, channels, bands, time). Broadcasted residual learning and sub-spectral
normalization are of Kim et al. 2021, "Broadcasted Residual Learning for Efficient Keyword
Spotting", and Chang et al. 2021, "SubSpectral Normalization for Neural Audio Data Processing".
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from edgekws.train.nets.causal import CausalConv


class BandsOfCepstra(nn.Module):
    """Log-mel bands of normalized cepstra: the inverse of the DCT, after a learnable gain of each.

    As many bands as cepstra: the orthonormal DCT is then inverted by its transpose. Gains and
    offsets are there to undo the normalization of the features, which a net does not know. The
    gains begin at 1 / (k + 1), as the deviation of the k-th cepstrum of speech goes (22.5, 7.5,
    4.3, 3.4, ... 0.36 in `base-en`), scaled such that the bands have a variance of 1.
    """

    inverse: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.register_buffer("inverse", _inverse_dct(bands), persistent=False)
        deviations = 1 / torch.arange(1, bands + 1)
        self.gain = nn.Parameter(deviations / deviations.square().mean().sqrt())
        self.offset = nn.Parameter(torch.zeros(bands))

    def weight(self) -> Tensor:
        """Return what it does as one linear layer, (bands, cepstra)."""
        return self.inverse * self.gain

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, frames, cepstra); return (batch, frames, bands)."""
        return nn.functional.linear(x, self.weight(), self.offset)

    def macs_per_frame(self) -> int:
        """Return multiply-accumulates for one frame."""
        return self.bands * self.bands


def _inverse_dct(count: int) -> Tensor:
    """Return the inverse of the orthonormal DCT-II, (places, coefficients) float32."""
    places = torch.arange(count, dtype=torch.float64)[:, None] + 0.5
    angles = math.pi / count * places * torch.arange(count, dtype=torch.float64)
    inverse = torch.cos(angles) * math.sqrt(2 / count)
    inverse[:, 0] /= math.sqrt(2)
    return inverse.float()


class BandAffine(NamedTuple):
    """A norm of bands as x * gain * factor + term.

    `gain` (channels,) belongs into the convolution before it: with it the values between the two
    have one size in all channels, as eight bits need. `factor` and `term` are (channels, bands).
    """

    gain: Tensor
    factor: Tensor
    term: Tensor


class SubSpectralNorm(nn.Module):
    """Batch norm with figures of its own for each of `groups` equal runs of bands."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.norm = nn.BatchNorm2d(channels * groups)

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (batch, channels, bands, time)."""
        batch, channels, bands, time = x.shape
        apart = x.reshape(batch, channels * self.groups, bands // self.groups, time)
        y: Tensor = self.norm(apart).reshape(x.shape)
        return y

    @torch.no_grad()
    def affine(self, bands: int) -> BandAffine:
        """Return what it does in eval mode to so many bands."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        shift = norm.bias.double() - norm.running_mean.double() * scale
        scale = scale.reshape(-1, self.groups)  # (channels, groups)
        gain = scale.abs().amax(dim=1).clamp(min=1e-12)
        each = bands // self.groups
        return BandAffine(
            gain.float(),
            (scale / gain[:, None]).float().repeat_interleave(each, dim=1),
            shift.reshape(scale.shape).float().repeat_interleave(each, dim=1),
        )


class CausalImageConv(nn.Module):
    """A 2-D convolution over bands, with zeros around them if wanted, and over time up to now.

    The state is the last kernel - 1 frames, (batch, channels_in, bands, kernel - 1).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        bands: int,
        kernel: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.bands, self.padding, self.history = bands, padding, kernel[1] - 1
        self.conv = nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            (stride, 1),
            (padding, 0),
            groups=groups,
            bias=bias,
        )

    @property
    def bands_out(self) -> int:
        """The bands that come of it."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        return (self.bands + 2 * self.padding - kernel) // stride + 1

    def state_shape(self) -> tuple[int, int, int, int]:
        """Return the shape of the state of one stream."""
        return (1, self.conv.in_channels, self.bands, self.history)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels_in, bands, time) and the state; give what comes of it, and it."""
        x = torch.cat((state, x), dim=3)
        return self.conv(x), x[:, :, :, x.shape[3] - self.history :]

    def macs_per_frame(self) -> int:
        """Return multiply-accumulates for one frame of all bands."""
        return self.conv.weight.numel() * self.bands_out


class Widening(nn.Module):
    """A 1x1 convolution, batch norm and ReLU."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, channels_in, bands, time); return (batch, channels, bands, time)."""
        return torch.relu(self.norm(self.conv(x)))


class BroadcastBlock(nn.Module):
    """A block that convolves over bands for each frame, and over time for the mean of all bands.

    What comes of the mean is added to every band (the broadcast). A block that changes the width
    begins with a 1x1 convolution and has no path around it. The state is that of the temporal
    convolution, (batch, channels, history).
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        *,
        bands: int,
        stride: int,
        groups: int,
        dilation: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.bands = bands
        self.widen = None if channels_in == channels else Widening(channels_in, channels)
        self.frequency = nn.Conv2d(
            channels, channels, (3, 1), (stride, 1), (1, 0), groups=channels, bias=False
        )
        self.band_norm = SubSpectralNorm(channels, groups)
        self.temporal = CausalConv(
            channels, channels, kernel=3, dilation=dilation, groups=channels, relu=False
        )
        self.swish = nn.SiLU()
        self.pointwise = nn.Conv1d(channels, channels, 1, bias=False)
        self.dropout = nn.Dropout1d(dropout)

    @property
    def residual(self) -> bool:
        """Whether its input is added to its output."""
        return self.widen is None

    @property
    def bands_out(self) -> int:
        """The bands that come of it."""
        return (self.bands - 1) // self.frequency.stride[0] + 1

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels_in, bands, time) and the state; give the same of its own width."""
        y = x if self.widen is None else self.widen(x)
        y = self.band_norm(self.frequency(y))
        mean, state = self.temporal(y.mean(dim=2), state)
        y = y + self.dropout(self.pointwise(self.swish(mean)))[:, :, None]
        return torch.relu(y + x if self.residual else y), state

    def macs_per_frame(self) -> int:
        """Return multiply-accumulates for one frame; the norm of bands is one per value."""
        frequency = self.frequency.weight.numel() + self.frequency.out_channels
        widen = 0 if self.widen is None else self.widen.conv.weight.numel()
        line = self.temporal.macs_per_output() + self.pointwise.weight.numel()
        return self.bands * widen + self.bands_out * frequency + line
