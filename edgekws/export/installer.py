"""What stands beside the bundle so that a board can install it; install.sh reads the rest."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import edgekws
from edgekws.bundle import Bundle
from edgekws.bundle.manifest import MANIFEST
from edgekws.errors import ExportError
from edgekws.export.device_wheel import write_wheel
from edgekws.export.requirements import (
    GLIBC,
    LOCKS,
    MICROPHONE,
    download_wheels,
    lock_path,
    read_lock,
)
from edgekws.export.targets import Target

SHARE: Final = Path(edgekws.__file__).parent / "share"
SCRIPT: Final = "install.sh"
FACTS: Final = "install.conf"
SETTINGS: Final = "listen.toml"
README: Final = "release.md"
UNITS: Final = ("edgekws.service", "edgekws-user.service")
WHEELHOUSE: Final = "wheelhouse"
BUNDLE_LINE: Final = '#bundle = "dist/lights-rpi"'
ACCELERATORS_LINE: Final = '#accelerators = ["tensorrt", "cuda"]'
DENY: Final = "MemoryDenyWriteExecute=yes"
OFFLINE: Final = "No network is needed: `wheelhouse/` holds every package."
ONLINE: Final = "Packages come from pip's index; an export with `--wheelhouse` needs no network."
COMPILING_ENGINES: Final = ("openvino",)
"""Engines that compile the model when they load it, into memory that is written, then executed."""


def write_installer(
    bundle: Bundle, target: Target, pythons: Sequence[str], *, wheelhouse: bool
) -> None:
    """Add install.sh and all that it needs to a bundle's folder, for these versions of Python.

    Raises ExportError where requirements are not locked for them, where packages cannot be
    downloaded, and where a file of the bundle has the name of one of these.
    """
    engine, place = bundle.manifest.models[0].format, bundle.path
    locks = {python: lock_path(target.architecture, python, engine) for python in pythons}
    files = {
        f"requirements-py{python}.txt": path.read_bytes()
        for python, path in locks.items()
        if read_lock(path)
    }
    files["requirements-microphone.txt"] = (LOCKS / MICROPHONE).read_bytes()
    files[SCRIPT] = (SHARE / SCRIPT).read_bytes()
    files[SETTINGS] = _settings(bundle, target).encode()
    files |= {unit: _unit(unit, engine).encode() for unit in UNITS}
    facts = _facts(bundle, target, pythons, wheel=write_wheel(place).name)
    files[FACTS] = "".join(f"{key}={shlex.quote(value)}\n" for key, value in facts.items()).encode()
    files["README.md"] = _readme(bundle, facts, target=target, wheelhouse=wheelhouse).encode()
    for name, data in files.items():
        _write_new(place / name, data)
    (place / SCRIPT).chmod(0o755)
    if wheelhouse:
        into = place / WHEELHOUSE
        into.mkdir()
        download_wheels(
            list(locks.values()), into, architecture=target.architecture, pythons=list(locks)
        )


def _write_new(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise ExportError(
            f"{path.name}: a file of the bundle has this name, which the installer needs"
        ) from error


def _facts(bundle: Bundle, target: Target, pythons: Sequence[str], *, wheel: str) -> dict[str, str]:
    """Return what install.sh needs to know."""
    manifest = bundle.manifest
    return {
        "NAME": manifest.name,
        "VERSION": manifest.version,
        "TARGET": target.name,
        "BOARD": target.board,
        "ARCHITECTURE": target.architecture,
        "PYTHONS": " ".join(pythons),
        "GLIBC": GLIBC,
        "WHEEL": wheel,
        "BUNDLE_FILES": " ".join([MANIFEST, *(entry.path for entry in manifest.files())]),
    }


def _settings(bundle: Bundle, target: Target) -> str:
    """Return the annotated listen.toml, naming the bundle beside it, its commands, the GPU."""
    text = (SHARE / SETTINGS).read_text("utf-8")
    assert ACCELERATORS_LINE in text, "the annotated listen.toml has no line for accelerators"
    if target.accelerators:
        names = ", ".join(f'"{name}"' for name in target.accelerators)
        text = text.replace(ACCELERATORS_LINE, f"accelerators = [{names}]")
    labels = ", ".join(f'"{label}"' for label in bundle.manifest.model.commands)
    assert BUNDLE_LINE in text, "the annotated listen.toml has no line for the bundle"
    return text.replace(BUNDLE_LINE, f'# Its commands: {labels}.\nbundle = "."')


def _unit(name: str, engine: str) -> str:
    text = (SHARE / name).read_text("utf-8")
    assert DENY in text, f"{name} does not say whether memory may be written and executed"
    return text.replace(DENY, "MemoryDenyWriteExecute=no") if engine in COMPILING_ENGINES else text


def _readme(bundle: Bundle, facts: Mapping[str, str], *, target: Target, wheelhouse: bool) -> str:
    models = ", ".join(
        f"{model.key} ({sum(entry.size for entry in model.files())} bytes)"
        for model in bundle.manifest.models
    )
    return (
        (SHARE / README)
        .read_text("utf-8")
        .format_map(
            {
                **facts,
                "folder": bundle.path.name,
                "labels": ", ".join(bundle.manifest.model.commands),
                "models": models,
                "threads": "one thread" if target.threads == 1 else f"{target.threads} threads",
                "network": OFFLINE if wheelhouse else ONLINE,
            }
        )
    )
