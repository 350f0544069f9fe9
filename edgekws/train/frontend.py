"""The batched torch twin of `features.frontend`, for training speed, held to it by a test."""

import torch
from torch import Tensor

from edgekws.features.tables import build_tables
from edgekws.specs import FeatureSpec


class TorchFrontend(torch.nn.Module):
    """Features of batches of whole clips."""

    window: Tensor
    mel: Tensor
    dct: Tensor

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self.spec = spec
        tables = build_tables(spec)
        self.floor, self.is_power = tables.floor, tables.is_power
        self.register_buffer("window", torch.from_numpy(tables.window.copy()), persistent=False)
        self.register_buffer("mel", torch.from_numpy(tables.mel.copy()), persistent=False)
        self.register_buffer("dct", torch.from_numpy(tables.dct.copy()), persistent=False)

    def log_mel(self, audio: Tensor) -> Tensor:
        """Return log mel energies (of "logmel-1" magnitudes) of audio on the int16 scale.

        audio: (batch, samples) float32 in [-32768, 32767]; result: (batch, frames, n_mels).
        """
        frames = audio.unfold(1, self.spec.window, self.spec.hop) * self.window  # (b, t, window)
        spectrum = torch.fft.rfft(frames, n=self.spec.fft)  # (b, t, fft / 2 + 1)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log((power if self.is_power else power.sqrt()) @ self.mel + self.floor)

    def cepstra(self, log_mel: Tensor) -> Tensor:
        """Return (batch, frames, n_mfcc) features of (batch, frames, n_mels) log energies."""
        return log_mel @ self.dct

    def forward(self, audio: Tensor) -> Tensor:
        """Return features (batch, frames, n_mfcc) of (batch, samples) audio on the int16 scale."""
        return self.cepstra(self.log_mel(audio))
