"""What every engine does at its border: numbers into tensors and out, states at their start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import BundleError
from edgekws.events import Floats
from edgekws.specs import GraphSpec, TensorSpec

Array = NDArray[Any]

LIMITS: Final = {"int8": (-128, 127), "int16": (-32768, 32767)}


def start_states(graph: GraphSpec) -> list[Array]:
    """Return new arrays of every state at the start of a stream."""
    return [
        np.full(state.input.shape, state.input.zero_point, state.input.dtype)
        for state in graph.states
    ]


def store(values: Floats, tensor: TensorSpec, into: Array) -> None:
    """Write float32 values as the tensor has them: integers rounded to even, and saturated."""
    if tensor.dtype != "float32":
        steps = np.rint(values / np.float32(tensor.scale)) + tensor.zero_point
        values = np.clip(steps, *LIMITS[tensor.dtype])
    np.copyto(into, values, casting="unsafe")


def load(array: Array, tensor: TensorSpec) -> Floats:
    """Return a float32 copy of what the tensor holds."""
    if tensor.dtype != "float32":
        return (array.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)
    return array.copy()


def require_tensors(
    found: Sequence[tuple[str, object]], needs: Mapping[str, object], *, where: str, side: str
) -> None:
    """Raise BundleError where a model's inputs or outputs are others than its manifest says.

    Both give a tensor's name its type and shape, in whatever form the engine compares and prints;
    of those found, two may have one name.
    """
    has = dict(found)
    if has != needs or len(found) != len(needs):
        names = sorted(n for n in has.keys() | needs.keys() if has.get(n) != needs.get(n))
        raise BundleError(
            f"{where}: the model's {side} are not those of the manifest: "
            + "; ".join(f"{n}: has {has.get(n)}, needs {needs.get(n)}" for n in names)
        )


def describe(model: bytes | Path) -> str:
    """Return how an error names a model: its path, or its size where it has none."""
    return f"a model of {len(model)} bytes" if isinstance(model, bytes) else str(model)


def one_line(error: Exception) -> str:
    """Return the start of what a runtime says, in one line."""
    return " ".join(str(error).split())[:300]
