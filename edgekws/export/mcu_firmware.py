"""The folder of a microcontroller's firmware: our C sources, and what one model adds to them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import edgekws
from edgekws.bundle import Bundle, ModelFile
from edgekws.errors import BundleError, ExportError
from edgekws.export.mcu_features import (
    FIXED_FILE,
    FLOAT_FILE,
    FORMATS_FILE,
    fixed_source,
    float_source,
    formats_header,
)
from edgekws.export.mcu_golden import GOLDEN_FILE, golden_source, golden_vectors
from edgekws.export.mcu_model import (
    DATA_FILE,
    META_FILE,
    MODEL_FILE,
    McuModel,
    data_source,
    meta_header,
    model_source,
)
from edgekws.export.mcu_net import NET_FILE, net_source, read_net
from edgekws.export.mcu_size import describe_room, require_room, size_of
from edgekws.export.mcu_tflm import measure_arena
from edgekws.export.mcu_trigger import trigger_values
from edgekws.export.targets import Target

PACKAGE: Final = Path(edgekws.__file__).parent
FOLDER: Final = "firmware"
SOURCES: Final = {"include": "src", "src": "src", "tests": "tests", "package": "."}
"""Where the files of each folder of ours go; headers beside sources, as Arduino wants them."""
VERSION: Final = "@VERSION@"


def mcu_model(bundle: Bundle) -> McuModel:
    """Return what is written for the int8 model of a bundle.

    Raises BundleError where it has none, ExportError for a net that the engine cannot run and for
    trigger values without room, MissingExtraError where the arena cannot be measured.
    """
    file, manifest = _int8(bundle), bundle.manifest
    data = bundle.read(file.file)
    net, trigger = read_net(data), trigger_values(manifest.model, manifest.triggers)
    arena = measure_arena(data)
    size = size_of(manifest.model, net, trigger, arena.bytes)
    return McuModel(manifest, file, data, net, trigger, arena, size)


def firmware_files(model: McuModel, bundle: Bundle) -> dict[str, bytes]:
    """Return every file of the folder by its path; equal bundles give equal bytes.

    Raises ExportError, naming the stage, where a number has no room in fixed point.
    """
    golden = golden_vectors(model, bundle.golden().pcm)
    features = model.file.graph.features
    generated = {
        f"src/{META_FILE}": meta_header(model),
        f"src/{FORMATS_FILE}": formats_header(),
        f"src/{MODEL_FILE}": model_source(model),
        f"src/{NET_FILE}": net_source(model.net),
        f"src/{FIXED_FILE}": fixed_source(model.spec, features),
        f"src/{FLOAT_FILE}": float_source(model.spec, features),
        f"src/{DATA_FILE}": data_source(model.data),
        f"tests/{GOLDEN_FILE}": golden_source(model, golden),
    }
    return dict(_own_files()) | {path: text.encode() for path, text in generated.items()}


def write_firmware(bundle: Bundle, target: Target, say: Callable[[str], None]) -> None:
    """Write the firmware's folder into that of a bundle.

    Raises ExportError, with the figures, for a model over the target's budget of flash or memory,
    and what `mcu_model` and `firmware_files` raise.
    """
    model = mcu_model(bundle)
    require_room(model.size, target)
    say(describe_room(model.size, target))
    for path, content in firmware_files(model, bundle).items():
        place = bundle.path / FOLDER / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def find_sources() -> Path:
    """Return our C sources, in a wheel or a clone; ExportError without them."""
    for place in (PACKAGE / "share" / "kws", PACKAGE.parent / "firmware_bridge" / "kws"):
        if place.is_dir():
            return place
    raise ExportError(f"no C sources beside {PACKAGE}: install edgekws again")


def _own_files() -> Iterator[tuple[str, bytes]]:
    root = find_sources()
    for folder, to in SOURCES.items():
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                name = (Path(to) / path.relative_to(root / folder)).as_posix()
                text = path.read_text("utf-8").replace(VERSION, edgekws.__version__)
                yield name, text.encode()


def _int8(bundle: Bundle) -> ModelFile:
    for model in bundle.manifest.models:
        if model.key == "tflite-int8":
            return model
    held = ", ".join(model.key for model in bundle.manifest.models)
    raise BundleError(
        f"{bundle.path}: holds {held}, a microcontroller runs tflite-int8: export with that model"
    )
