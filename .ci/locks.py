"""Write edgekws/share/requirements: what pip would install on every board today, with hashes.

`make locks` runs it. Each engine's packages are those of its extra in pyproject.toml, and those of
the sinks that need no more than Python; wheels are asked from the package index by pip, nothing of
them is kept.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from edgekws.export.requirements import GLIBC, LOCKS, MICROPHONE, Pin, lock_path, platform_tags
from edgekws.export.targets import TARGETS

PROJECT: Final = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: Final = PROJECT["optional-dependencies"]
WITH_ALL: Final = ("audio", "mqtt", "serial", "wyoming")  # small, and loaded only where asked for
ENGINES: Final = tuple(name for name in ("onnx", "tflite", "openvino") if name in EXTRAS)


def main() -> None:
    """Resolve every combination of the targets' table."""
    LOCKS.mkdir(exist_ok=True)
    boards = {(target.architecture, python) for target in TARGETS for python in target.pythons}
    for architecture, python in sorted(boards):
        for engine in ENGINES:
            flags = ["--only-binary=:all:", "--python-version", python]
            extras = (engine, *WITH_ALL)
            wanted = PROJECT["dependencies"] + [each for name in extras for each in EXTRAS[name]]
            pins = resolve([*flags, *platform_tags(architecture), *wanted])
            about = (
                f"edgekws[{','.join(extras)}] for Python {python} on {architecture}, glibc {GLIBC}"
            )
            write(lock_path(architecture, python, engine), about, pins)
    source = resolve(["--no-binary=:all:", "--no-deps", "--no-build-isolation", *EXTRAS["mic"]])
    write(LOCKS / MICROPHONE, "edgekws[mic], compiled on the board against PortAudio", source)


def resolve(flags: list[str]) -> list[Pin]:
    """Return what pip would install, by name; any configuration of this machine is left out."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": os.devnull}
    if "PIP_CERT" in os.environ:
        environment["PIP_CERT"] = os.environ["PIP_CERT"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        argv = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--quiet",
        ]
        argv += ["--target", folder, "--report", str(report), *flags]
        subprocess.run(argv, env=environment, check=True)
        found = json.loads(report.read_text("utf-8"))["install"]
    return sorted((pin(item) for item in found), key=lambda each: each.name)


def pin(item: dict[str, Any]) -> Pin:
    """Return one package of pip's report."""
    name = item["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
    sha256 = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return Pin(name, item["metadata"]["version"], sha256)


def write(path: Path, about: str, pins: list[Pin]) -> None:
    """Write one lock."""
    lines = [f"# {about}; written by `make locks`", *(each.line() for each in pins)]
    path.write_text("\n".join(lines) + "\n", "ascii")


if __name__ == "__main__":
    main()
