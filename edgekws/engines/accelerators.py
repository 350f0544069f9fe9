"""Which accelerators can run a model in place of the CPU: nothing is imported until asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from edgekws.engines.engine import Engine
from edgekws.engines.registry import EngineFactory, load_factory
from edgekws.errors import UsageError
from edgekws.specs import GraphSpec

ACCELERATORS: Final = {
    "tensorrt": "edgekws.engines.onnx_accelerated:open_tensorrt",
    "cuda": "edgekws.engines.onnx_accelerated:open_cuda",
}
"""Name to the "module:function" that opens a model on it, the best one first; all of them are of
ONNX Runtime."""


class Accelerator(msgspec.Struct, frozen=True):
    """What opens models of one format elsewhere than on the CPU.

    `open` raises MissingExtraError where the runtime has no such accelerator, BundleError where it
    does not take the model.
    """

    name: str
    format: str
    open: EngineFactory


def find_accelerators(names: Sequence[str]) -> tuple[Accelerator, ...]:
    """Return accelerators by their names; UsageError for one that there is not."""
    for name in names:
        if name not in ACCELERATORS:
            raise UsageError(f"no accelerator {name!r}; there is {', '.join(ACCELERATORS)}")
    return tuple(Accelerator(name, "onnx", _opener(name)) for name in names)


def offered_accelerators() -> tuple[Accelerator, ...]:
    """Return those that the runtime installed here was built with; opening shows if they work."""
    try:
        from edgekws.engines.onnx_accelerated import offered
    except ImportError:
        return ()
    return find_accelerators(offered())


def _opener(name: str) -> EngineFactory:
    def open_accelerated(model: bytes | Path, graph: GraphSpec) -> Engine:
        return load_factory(ACCELERATORS[name], name="onnx", extra="onnx")(model, graph)

    return open_accelerated
