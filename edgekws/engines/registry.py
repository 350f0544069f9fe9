"""Which engine runs which format: names are looked up here, and imported only when asked for."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from edgekws.engines.engine import Engine
from edgekws.errors import MissingExtraError, UsageError
from edgekws.specs import GraphSpec

ENGINES: Final = {
    "onnx": "edgekws.engines.onnx_engine:OnnxEngine",
    "tflite": "edgekws.engines.tflite_engine:TfliteEngine",
    "openvino": "edgekws.engines.openvino_engine:OpenvinoEngine",
}
"""Format to "module:Class"; each name is also that of the extra that brings the runtime."""

ENTRY_POINTS: Final = "edgekws.engines"

EngineFactory = Callable[[bytes | Path, GraphSpec], Engine]


def open_engine(format: str, model: bytes | Path, graph: GraphSpec) -> Engine:
    """Load a model file into the engine of its format, states at the start of a stream.

    Raises UsageError for a format that no engine runs, MissingExtraError where its runtime is not
    installed, and BundleError for a model that does not load or is not as `graph` says.
    """
    return _factory(format)(model, graph)


def load_factory(target: str, *, name: str, extra: str | None) -> EngineFactory:
    """Import "module:function"; MissingExtraError, naming the engine, where that does not work.

    `extra` is what installs it, None for an engine of another package.
    """
    module, _, attribute = target.partition(":")
    try:
        return cast(EngineFactory, getattr(import_module(module), attribute))
    except ModuleNotFoundError as error:
        install = f"pip install 'edgekws[{extra}]'" if extra else f"install {error.name}"
        raise MissingExtraError(
            f"the engine {name!r} needs {error.name}, which is not installed: {install}"
        ) from error
    except ImportError as error:
        again = f"'edgekws[{extra}]'" if extra else module.partition(".")[0]
        raise MissingExtraError(
            f"the engine {name!r} cannot load its runtime ({error}): "
            f"pip install --force-reinstall {again}"
        ) from error


def _factory(format: str) -> EngineFactory:
    builtin = ENGINES.get(format)
    target = builtin or _plugins().get(format)
    if target is None:
        known = ", ".join(sorted(ENGINES.keys() | _plugins().keys()))
        raise UsageError(f"no engine runs the format {format!r}; there is {known}")
    return load_factory(target, name=format, extra=format if builtin else None)


def _plugins() -> dict[str, str]:
    """Return the engines of other installed packages, format to "module:Class"."""
    from importlib.metadata import entry_points  # 20 ms, which no built-in engine pays

    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
