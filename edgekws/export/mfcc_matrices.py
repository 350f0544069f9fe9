"""The MFCC as five constant arrays, for graphs that have products of matrices and no FFT.

A real transform of `fft` points is done in two stages (Cooley and Tukey, 1965). With sample
n = columns * row + column, the first stage transforms along the rows of each column, the second
one across the columns; of both only the numbers are kept that symmetry does not give. So one frame
is `fft` real numbers after either stage, in groups of 2 * columns, each of which the second stage
turns into as many. That takes an eighth of the multiplications of one plain matrix, and of its
bytes.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import ExportError
from edgekws.events import Floats
from edgekws.features.tables import build_tables
from edgekws.specs import FeatureSpec, ModelSpec

MOST_COLUMNS: Final = 16  # 8 and 32 cost more bytes and more time, in LiteRT and ONNX Runtime

Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matrices:
    """Samples on the int16 scale to normalized features, one frame at a time.

    `window` (rows, columns) holds the division by 32768. `first` (groups, 2, rows) goes along the
    rows. `second` (groups, 2, columns, 2 * columns) takes both parts of a group from all columns.
    The squares of what comes out times `mel` (groups, 2 * columns, n_mels) are the mel energies.
    After the logarithm of those plus `floor` come `dct` (n_mels, n_mfcc) and `bias` (n_mfcc,),
    which normalize as well.
    """

    window: Floats
    first: Floats
    second: Floats
    mel: Floats
    floor: float
    dct: Floats
    bias: Floats

    @property
    def rows(self) -> int:
        """Rows of one frame."""
        return int(self.window.shape[0])

    @property
    def columns(self) -> int:
        """Samples in a row."""
        return int(self.window.shape[1])

    @property
    def groups(self) -> int:
        """Groups of numbers that the second stage takes apart from each other."""
        return int(self.first.shape[0])


def fits_a_graph(spec: FeatureSpec) -> bool:
    """Return whether a graph can hold the front end: the MFCC, and no other algorithm."""
    return spec.algorithm == "mfcc-1"


def mfcc_matrices(model: ModelSpec) -> Matrices:
    """Return the matrices of a model's features; ExportError where a graph cannot hold them."""
    spec = model.features
    if not fits_a_graph(spec):
        raise ExportError(
            f"features by {spec.algorithm!r} cannot go into the graph, which has squares and no "
            "magnitudes; export the model without -fused"
        )
    tables, columns = build_tables(spec), _columns(spec)
    second, mel = _second_stage(spec, tables.mel, columns)
    mean, scale = np.array(model.mean, np.float64), np.array(model.scale, np.float64)
    return Matrices(
        window=tables.window.reshape(-1, columns),
        first=_first_stage(spec, columns).astype(np.float32),
        second=second.astype(np.float32),
        mel=mel.astype(np.float32),
        floor=tables.floor,
        dct=(tables.dct * scale).astype(np.float32),
        bias=(-mean * scale).astype(np.float32),
    )


def _columns(spec: FeatureSpec) -> int:
    """Return the most columns in which frames and hops are whole rows, and rows of `fft` even."""
    common = math.gcd(spec.window, spec.hop, spec.fft)
    fitting = [
        count
        for count in range(1, MOST_COLUMNS + 1)
        if common % count == 0 and spec.fft // count % 2 == 0
    ]
    if not fitting:
        raise ExportError(
            f"a transform of {spec.fft} points cannot go into the graph: it needs an even number; "
            "export the model without -fused"
        )
    return fitting[-1]


def _first_stage(spec: FeatureSpec, columns: int) -> Real:
    """Return (groups, 2, rows): real and imaginary part of each frequency.

    The lowest and the highest one are real, and share the first group.
    """
    points = spec.fft // columns
    rows, frequencies = np.arange(spec.window // columns), np.arange(points // 2 + 1)
    angles = 2 * np.pi / points * np.outer(frequencies, rows)
    parts = np.stack((np.cos(angles), -np.sin(angles)), axis=1)  # (groups + 1, 2, rows)
    parts[0, 1] = parts[-1, 0]
    return parts[:-1]


def _second_stage(spec: FeatureSpec, mel: Floats, columns: int) -> tuple[Real, Real]:
    """Return what each number of the spectrum takes from its group, and gives to the mel bands."""
    points = spec.fft // columns
    groups, size = points // 2, 2 * columns
    second = np.zeros((groups, 2, columns, size))
    bands = np.zeros((groups, size, spec.n_mels))
    filled = np.zeros(groups, int)
    for frequency in range(spec.fft // 2 + 1):
        beyond = frequency % points
        alias = min(beyond, points - beyond)  # its frequency in the first stage
        group = alias % groups
        for weights in _parts(spec, frequency, columns=columns):
            place = filled[group]
            if group:
                second[group, :, :, place] = weights
            else:  # of real numbers only the first row of weights counts
                second[0, alias // groups, :, place] = weights[0]
            bands[group, place] = mel[frequency]
            filled[group] += 1
    assert (filled == size).all(), filled
    return second, bands


def _parts(spec: FeatureSpec, frequency: int, *, columns: int) -> list[Real]:
    """Return the weights (2, columns) of the real and, but at both ends, the imaginary part."""
    points = spec.fft // columns
    sign = 1 if frequency % points <= points // 2 else -1  # beyond the middle it is the conjugate
    angle = 2 * np.pi * frequency / spec.fft * np.arange(columns)
    real = np.stack((np.cos(angle), sign * np.sin(angle)))
    imaginary = np.stack((-np.sin(angle), sign * np.cos(angle)))
    return [real] if frequency in (0, spec.fft // 2) else [real, imaginary]
