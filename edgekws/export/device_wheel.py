"""edgekws itself as a wheel, made of the files that run right now; equal files give equal bytes.

The shipped bundles stay out: a board gets its own. So do the locks and the C of microcontrollers,
which only `export` reads.
"""

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import edgekws
from edgekws.errors import ExportError

PACKAGE: Final = Path(edgekws.__file__).parent
LEFT_OUT: Final = ("share/bundles", "share/kws", "share/requirements")
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip file can say
READABLE: Final = 0o100644 << 16
KEPT_FIELDS: Final = ("Name", "Summary", "License-Expression", "Requires-Python")
MANY_FIELDS: Final = ("Requires-Dist", "Provides-Extra")
WHEEL: Final = "Wheel-Version: 1.0\nGenerator: edgekws\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write edgekws-<version>-py3-none-any.whl into a folder; return its path.

    Raises ExportError where this edgekws was not installed by pip, so that its metadata is unknown.
    """
    try:
        installed = distribution("edgekws")
    except PackageNotFoundError as error:
        raise ExportError(
            "edgekws runs here without being installed, so no wheel can be made for the board: "
            "pip install -e . in the project's folder"
        ) from error
    info = f"edgekws-{edgekws.__version__}.dist-info"
    members = {name: path.read_bytes() for name, path in _modules()}
    members[f"{info}/METADATA"] = _metadata(installed).encode()
    members[f"{info}/WHEEL"] = WHEEL.encode()
    members[f"{info}/entry_points.txt"] = _entry_points(installed).encode()
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD").encode()
    place = folder / f"edgekws-{edgekws.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(place, "x") as wheel:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr, entry.compress_type = READABLE, zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
    return place


def _modules() -> Iterator[tuple[str, Path]]:
    """Yield the package's files by their names in the wheel, sorted."""
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        wanted = path.suffix == ".py" or name.startswith("share/")
        if path.is_file() and wanted and not name.startswith(LEFT_OUT):
            yield f"edgekws/{name}", path


def _metadata(installed: Distribution) -> str:
    """Return the fields that pip needs on the board."""
    given = installed.metadata
    lines = ["Metadata-Version: 2.4", f"Version: {edgekws.__version__}"]
    lines += [f"{field}: {given[field]}" for field in KEPT_FIELDS if field in given]
    lines += [f"{field}: {value}" for field in MANY_FIELDS for value in given.get_all(field) or ()]
    return "\n".join(lines) + "\n"


def _entry_points(installed: Distribution) -> str:
    scripts = installed.entry_points.select(group="console_scripts")
    return "[console_scripts]\n" + "".join(f"{s.name} = {s.value}\n" for s in scripts)


def _record(members: dict[str, bytes], own_name: str) -> str:
    rows = []
    for name, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join(rows) + f"{own_name},,\n"
