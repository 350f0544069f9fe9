"""The windowed DS-CNN in the shape of MLPerf Tiny's: an image of features in, one row out.

Depthwise-separable 2-D convolutions over the last `window_frames` frames and the first `mfcc`
coefficients (Zhang et al. 2017, "Hello Edge"; Banbury et al. 2021, "MLPerf Tiny Benchmark"). Unlike
the streaming nets it computes the whole window anew for every row: a window of a second and a row
every 80 ms are twelve seconds of arithmetic per second of audio. What it keeps is its window.
"""

from typing import cast

import torch
from torch import Tensor, nn

from edgekws.specs import Spec
from edgekws.train.nets.net import Cost, Dropout, LabelNet, Size, States


class DsCnnConfig(Spec, frozen=True, tag_field="kind", tag="ds-cnn"):
    """The size of a net; (frames, coefficients) where there are two values.

    MLPerf Tiny's reference has 10 coefficients of 49 frames every 20 ms, a stem of 10 x 4 that
    strides 2 x 2, 64 channels, 4 blocks and a dropout of 0.4. With frames every 10 ms the same
    spans of time are a window of 96 frames and a stem of 20 x 4 that strides 4 x 2.
    """

    n_features: Size
    mfcc: Size
    window_frames: Size
    step_frames: Size
    stem_kernel: tuple[Size, Size]
    stem_stride: tuple[Size, Size]
    channels: Size
    blocks: Size
    dropout: Dropout

    def __post_init__(self) -> None:
        if self.mfcc > self.n_features:
            raise ValueError(f"mfcc: the first so many of {self.n_features} coefficients")
        if self.window_frames < 2 * self.step_frames or self.window_frames % self.step_frames:
            raise ValueError("window_frames: needs to be two or more whole step_frames")
        image = (self.window_frames, self.mfcc)
        for stride, kernel, size in zip(self.stem_stride, self.stem_kernel, image, strict=True):
            if stride > min(kernel, size):
                raise ValueError("stem_stride: no longer than stem_kernel and the window")

    @property
    def frames_per_score(self) -> int:
        """Feature frames between two rows of scores."""
        return self.step_frames


class ImageConv(nn.Module):
    """A 2-D convolution with zeros around the image, batch norm and ReLU.

    The padding is symmetric and such that a stride of 1 keeps the size (of odd kernels).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.padding = ((kernel[0] - stride[0] + 1) // 2, (kernel[1] - stride[1] + 1) // 2)
        self.conv = nn.Conv2d(
            channels_in, channels_out, kernel, stride, self.padding, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, channels_in, frames, coefficients); return (batch, channels_out, ...)."""
        return torch.relu(self.norm(self.conv(x)))

    def image_out(self, image: tuple[int, int]) -> tuple[int, int]:
        """Return the (frames, coefficients) that come of an image of that size."""
        kernel, stride = self.conv.kernel_size, self.conv.stride
        axes = zip(image, kernel, stride, self.padding, strict=True)
        frames, columns = ((n + 2 * zeros - k) // step + 1 for n, k, step, zeros in axes)
        return frames, columns


class DsCnnNet(LabelNet):
    """A net whose one state is the part of its window that is known already.

    The state is the last window - step frames, (batch, window_frames - step_frames, mfcc); a call
    with n * step frames gives n rows, each over exactly the last window.
    """

    def __init__(self, config: DsCnnConfig, n_labels: int) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(*_layers(config))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.channels, n_labels)

    @property
    def history(self) -> int:
        """The frames of the state."""
        return self.config.window_frames - self.config.step_frames

    def stack(self) -> list[ImageConv]:
        """Return the convolutions, first one first."""
        return [cast(ImageConv, layer) for layer in self.layers]

    def image_out(self) -> tuple[int, int]:
        """Return the (frames, coefficients) of the image that the pool takes."""
        image = (self.config.window_frames, self.config.mfcc)
        return self.stack()[0].image_out(image)  # the blocks keep the size

    def state_shapes(self) -> list[tuple[int, int, int]]:
        """Return the one state shape of one stream."""
        return [(1, self.history, self.config.mfcc)]

    def embeddings(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Return pooled embeddings (batch, rows, channels) of (batch, frames, n_features)."""
        known = self._joined(x, states)
        return self._pooled(known), (known[:, known.shape[1] - self.history :],)

    def last_embeddings(self, x: Tensor, count: int) -> Tensor:
        """Return the last `count` embeddings of whole clips; no other window is computed."""
        known = self._joined(x, self.zero_states(len(x)))
        return self._pooled(known[:, -(self.history + count * self.config.step_frames) :])

    def backbone(self) -> list[nn.Module]:
        """Return the parts that are kept when the labels change: all but the head."""
        return [self.layers]

    def cost(self) -> Cost:
        """Return parameters and multiply-accumulates per row of scores: of one whole window."""
        frames, columns = self.image_out()
        weights = sum(layer.conv.weight.numel() for layer in self.stack())
        macs = frames * columns * weights + self.head.weight.numel()
        return Cost(sum(p.numel() for p in self.parameters()), macs)

    def _joined(self, x: Tensor, states: States) -> Tensor:
        return torch.cat((states[0], x[:, :, : self.config.mfcc]), dim=1)

    def _pooled(self, known: Tensor) -> Tensor:
        """Return the mean embedding of every window in (batch, history + rows * step, mfcc)."""
        config = self.config
        windows = known.unfold(1, config.window_frames, config.step_frames)
        images = windows.transpose(2, 3)  # (batch, rows, window_frames, mfcc)
        pooled: Tensor = self.layers(images.flatten(0, 1)[:, None]).mean(dim=(2, 3))
        return pooled.reshape(*windows.shape[:2], config.channels)


def _layers(config: DsCnnConfig) -> list[ImageConv]:
    width = config.channels
    layers = [ImageConv(1, width, kernel=config.stem_kernel, stride=config.stem_stride)]
    for _ in range(config.blocks):
        layers.append(ImageConv(width, width, kernel=(3, 3), groups=width))
        layers.append(ImageConv(width, width, kernel=(1, 1)))
    return layers
