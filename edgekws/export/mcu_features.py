"""The tables of the front end as constants of C, in fixed point and float, from a FeatureSpec."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.export.mcu_c import NOTICE, array
from edgekws.export.mcu_range import (
    DATA_BITS,
    LOG_BITS,
    LOG_STEPS,
    OUT_BITS,
    POWER_BITS,
    SAMPLE_BITS,
    TABLE_BITS,
    WEIGHT_BITS,
    factor_bits,
    feature_factors,
    mel_bits,
    require_range,
)
from edgekws.features.tables import build_tables, dct_matrix, hann, mel_filters
from edgekws.specs import FeatureSpec, ModelSpec, TensorSpec

FIXED_FILE: Final = "model_mfcc_fixed.c"
FLOAT_FILE: Final = "model_mfcc_float.c"
FORMATS_FILE: Final = "ekws_formats.h"

Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """The bins of a mel band whose weights are not 0."""

    first: int
    count: int
    weights: int


def bands(spec: FeatureSpec) -> tuple[list[Band], Real]:
    """Return where the weights of each band are, and all of them in a row."""
    filters, found, kept = mel_filters(spec), [], [np.zeros(0)]
    for column in filters.T:
        (places,) = np.nonzero(column)
        first, last = (int(places[0]), int(places[-1])) if len(places) else (0, -1)
        found.append(Band(first, last + 1 - first, sum(map(len, kept))))
        kept.append(column[first : last + 1])
    return found, np.concatenate(kept)


def fixed_source(model: ModelSpec, features: TensorSpec) -> str:
    """Return model_mfcc_fixed.c, which defines `ekws_model_mfcc_fixed`.

    Raises ExportError, naming the stage, where a number of the model has no room in fixed point.
    """
    require_range(model, features)
    spec, factors = model.features, feature_factors(model, features)
    places, weights = bands(spec)
    bits = factor_bits(factors)
    steps = np.log1p(np.arange(LOG_STEPS + 1) / LOG_STEPS)
    tables = {
        "window": ("int32_t", _fixed(_half_window(spec), TABLE_BITS)),
        "cosines": ("int32_t", _fixed(np.cos(_turns(spec)), TABLE_BITS)),
        "sines": ("int32_t", _fixed(np.sin(_turns(spec)), TABLE_BITS)),
        "weights": ("uint16_t", np.minimum(_fixed(weights, WEIGHT_BITS), 0xFFFF)),
        "logs": ("int32_t", _fixed(steps, LOG_BITS)),
        "dct": ("int32_t", _fixed(_dct_rows(spec), TABLE_BITS)),
        "means": ("int32_t", _fixed(np.array(model.mean), OUT_BITS)),
        "factors": ("int32_t", _fixed(factors, bits)),
    }
    floor = round(10.0**spec.log_floor_exponent * 2.0 ** mel_bits(spec))
    numbers = f".floor = UINT64_C({floor}), .mel_bits = {mel_bits(spec)}, .factor_bits = {bits}"
    parts = [array(kind, name.upper(), values.tolist()) for name, (kind, values) in tables.items()]
    return _source("fixed", spec, features, places, [*parts, _struct("fixed", tables, numbers)])


def formats_header() -> str:
    """Return ekws_formats.h: the fractional bits of each stage, which C takes from here."""
    values = {
        "SAMPLE_BITS": SAMPLE_BITS,
        "TABLE_BITS": TABLE_BITS,
        "DATA_BITS": DATA_BITS,
        "WEIGHT_BITS": WEIGHT_BITS,
        "POWER_BITS": POWER_BITS,
        "LOG_BITS": LOG_BITS,
        "LOG_STEPS": LOG_STEPS,
        "OUT_BITS": OUT_BITS,
        "LN_2": round(math.log(2.0) * 2**LOG_BITS),
    }
    listed = ",\n".join(f"    EKWS_{name} = {value}" for name, value in values.items())
    guard = "EKWS_FORMATS_H"
    return f"{NOTICE}#ifndef {guard}\n#define {guard}\n\nenum {{\n{listed}\n}};\n\n#endif\n"


def float_source(model: ModelSpec, features: TensorSpec) -> str:
    """Return model_mfcc_float.c, which defines `ekws_model_mfcc_float`."""
    spec, tables = model.features, build_tables(model.features)
    places, _ = bands(spec)
    weights = [tables.mel[band.first : band.first + band.count, m] for m, band in enumerate(places)]
    values = {
        "window": tables.window[: spec.window // 2 + 1],
        "cosines": np.cos(_turns(spec)),
        "sines": np.sin(_turns(spec)),
        "weights": np.concatenate(weights),
        "dct": _dct_rows(spec),
        "means": np.array(model.mean),
        "factors": feature_factors(model, features),
    }
    parts = [array("float", name.upper(), _floats(table)) for name, table in values.items()]
    (floor,) = _floats(np.array(tables.floor))
    struct = _struct("float", values, f".floor = {floor}")
    return _source("float", spec, features, places, [*parts, struct])


def _source(
    name: str, spec: FeatureSpec, features: TensorSpec, places: list[Band], parts: list[str]
) -> str:
    """Return a file of tables and the front end that uses them."""
    field = "fixed" if name == "fixed" else "real"
    rows = [f"{{{band.first}, {band.count}, {band.weights}}}" for band in places]
    whole = f"""const ekws_mfcc ekws_model_mfcc_{name} = {{
    .window = {spec.window},
    .hop = {spec.hop},
    .fft = {spec.fft},
    .mels = {spec.n_mels},
    .coefficients = {spec.n_mfcc},
    .zero_point = {features.zero_point},
    .bands = BANDS,
    .{field} = &TABLES,
    .features_of = ekws_mfcc_{name}_features,
}};
"""
    head = [NOTICE, '#include "model_meta.h"\n']
    return "\n".join([*head, array("ekws_band", "BANDS", rows), *parts, whole])


def _struct(name: str, tables: Iterable[str], numbers: str) -> str:
    pointers = "".join(f"    .{table} = {table.upper()},\n" for table in tables)
    return f"static const ekws_mfcc_{name} TABLES = {{\n{pointers}    {numbers},\n}};\n"


def _half_window(spec: FeatureSpec) -> Real:
    return hann(spec.window)[: spec.window // 2 + 1]


def _turns(spec: FeatureSpec) -> Real:
    return np.asarray(2.0 * np.pi * np.arange(spec.fft // 2) / spec.fft)


def _dct_rows(spec: FeatureSpec) -> Real:
    """Return the first half of each coefficient's cosines, which the second half mirrors."""
    return dct_matrix(spec.n_mels, spec.n_mfcc)[: (spec.n_mels + 1) // 2].T


def _fixed(values: Real, bits: int) -> NDArray[np.int64]:
    return np.rint(values.reshape(-1) * 2.0**bits).astype(np.int64)


def _floats(values: NDArray[np.floating]) -> list[str]:
    """Return literals that read back as the same float32."""
    return [f"{np.float32(x)!s}f" for x in values.reshape(-1).tolist()]
