"""One step of the windowed DS-CNN in the layout of TFLite: channels last, its window in and out."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgekws.train.nets import DsCnnNet
from edgekws.train.nets.dscnn import ImageConv


class TfliteDsCnn(nn.Module):
    """Take (1, step_frames, n_features) and the window; return posteriors (1, rows, labels) and it.

    The windows of a step go through the same layers side by side.
    """

    def __init__(self, net: DsCnnNet) -> None:
        super().__init__()
        self.config, self.image = net.config, net.image_out()
        self.layers = nn.ModuleList(_ChannelsLast(layer) for layer in net.stack())
        self.head = nn.Linear(net.head.in_features, net.head.out_features)
        self.head.load_state_dict(net.head.state_dict())
        self.state_shapes = tuple(net.state_shapes())

    def forward(self, features: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Run one step; the window without its oldest step comes back."""
        window, step = self.config.window_frames, self.config.step_frames
        known = torch.cat((past, features[:, :, : self.config.mfcc]), dim=1)
        firsts = range(0, features.shape[1], step)
        windows = [known[:, first : first + window] for first in firsts]
        x = torch.cat(windows)[..., None]  # (rows, window_frames, mfcc, 1)
        for layer in self.layers:
            x = layer(x)
        pooled = nn.functional.avg_pool2d(x.permute(0, 3, 1, 2), self.image)  # (rows, c, 1, 1)
        logits = self.head(pooled.flatten(1))
        return torch.softmax(logits[None], dim=-1), known[:, known.shape[1] - past.shape[1] :]


class _ChannelsLast(nn.Module):
    """A convolution, its batch norm inside, and a ReLU, of (rows, frames, columns, channels)."""

    def __init__(self, layer: ImageConv) -> None:
        super().__init__()
        self.conv = fuse_conv_bn_eval(layer.conv, layer.norm)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
