"""`edgekws doctor` and `edgekws devices`: what this machine has of what listening needs."""

import argparse
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from edgekws.cli.setup import begin, print_line
from edgekws.errors import EdgekwsError, SourceError

ENGINE_PACKAGES: Final = {
    "onnx": ("onnxruntime",),
    "tflite": ("ai-edge-litert", "tflite-runtime"),
    "openvino": ("openvino",),
}
"""For each extra the package that it brings, and any that does in its place."""

AUDIO_PACKAGES: Final = ("soundfile", "soxr")
SINK_PACKAGES: Final = {
    "mqtt": "paho-mqtt",
    "gpio": "gpiozero",
    "serial": "pyserial",
    "wyoming": "wyoming",
}
"""For each extra that a sink or service needs the package that it brings."""

ADVICE: Final = "pip install 'edgekws[{extra}]'"


class Check(NamedTuple):
    """One finding: "missing" is what listening can do without, "failed" is what it cannot."""

    name: str
    status: Literal["ok", "missing", "failed"]
    detail: str


def run(args: argparse.Namespace) -> int:
    """Print one JSON object of checks, and a line each for a person; 1 where any check failed."""
    begin(verbose=args.verbose)
    checks = [
        Check("python", "ok", platform.python_version()),
        Check("machine", "ok", f"{platform.system()} {platform.machine()}"),
        _package("numpy", extra=None),
        *_engines(),
        *(_package(name, extra="audio") for name in AUDIO_PACKAGES),
        *(_package(name, extra=extra) for extra, name in SINK_PACKAGES.items()),
        _found("microphones", _count_devices, needed=False),
        _found("bundle", lambda: _check_bundle(args.bundle), needed=True),
        _found("auto", lambda: _measure(args.bundle), needed=False),
    ]
    for check in checks:
        print(f"{check.status:>8}  {check.name}: {check.detail}", file=sys.stderr)
    ok = all(check.status != "failed" for check in checks)
    report = {check.name: {"status": check.status, "detail": check.detail} for check in checks}
    print_line({"ok": ok, "checks": report})
    return 0 if ok else EdgekwsError.exit_code


def run_devices(args: argparse.Namespace) -> int:
    """Print a line for each microphone."""
    begin(verbose=args.verbose)
    from edgekws.audio.devices import list_devices

    devices = list_devices()
    for device in devices:
        print_line(device)
    if not devices:
        print("edgekws: no microphone: PortAudio sees no input device", file=sys.stderr)
    return 0


def _package(name: str, *, extra: str | None) -> Check:
    """Look a package's version up without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Check(name, "ok", version(name))
    except PackageNotFoundError:
        return Check(name, "missing", f"not installed: {ADVICE.format(extra=extra)}")


def _engines() -> list[Check]:
    """Look for every engine; if there is none at all, that is a failure."""
    found = [_engine(packages, extra=extra) for extra, packages in ENGINE_PACKAGES.items()]
    if any(check.status == "ok" for check in found):
        return found
    return [check._replace(status="failed") for check in found]


def _engine(packages: tuple[str, ...], *, extra: str) -> Check:
    """Return the first of them that is installed; where none is, that the first is missing."""
    found = [_package(package, extra=extra) for package in packages]
    return next((check for check in found if check.status == "ok"), found[0])


def _found(name: str, look: Callable[[], str], *, needed: bool) -> Check:
    try:
        return Check(name, "ok", look())
    except EdgekwsError as error:
        return Check(name, "failed" if needed else "missing", str(error))


def _count_devices() -> str:
    from edgekws.audio.devices import list_devices

    devices = list_devices()
    if not devices:
        raise SourceError("PortAudio sees no input device; plug in a microphone")
    default = next((device.name for device in devices if device.is_default), "none")
    return f"{len(devices)} input devices, default: {default}"


def _check_bundle(path: Path | None) -> str:
    from edgekws.runtime.wiring import find_bundle, open_device

    device = open_device(find_bundle(path))
    manifest = device.bundle.manifest
    name = f"{manifest.name} {manifest.version} in {device.bundle.path}"
    return f"{name}: self-check passed with {device.model_file.key}"


def _measure(path: Path | None) -> str:
    """Measure every engine that runs the bundle, and return which one to take."""
    from edgekws.engines.accelerators import offered_accelerators
    from edgekws.runtime.auto import advice, measure_all, open_all
    from edgekws.runtime.wiring import find_bundle

    devices, refused = open_all(find_bundle(path), offered_accelerators())
    if not devices:
        raise refused[0].reason
    return advice(measure_all(devices))
