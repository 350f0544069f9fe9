"""Golden vectors: audio with the features and scores that every machine has to find in it."""

import io
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekws.errors import BundleError
from edgekws.events import Floats, Pcm

MAX_BYTES: Final = 32 << 20  # unpacked, all arrays together: 30 s of audio need under 2 MB
MAX_ARRAYS: Final = 32
SCORES: Final = "scores."
NPY: Final = re.compile(  # version 1.0 as numpy writes it; its own reader evaluates the header
    rb"\x93NUMPY\x01\x00..\{'descr': '(<i2|<f4)', 'fortran_order': False, "
    rb"'shape': \((\d{1,9}),(?: (\d{1,9}))?\), \} *\n",
    re.DOTALL,
)
UNREADABLE: Final = (  # what zipfile and numpy raise for damaged, cut off or encrypted files
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class Golden(msgspec.Struct, frozen=True):
    """What the exporting machine computed, from the start of a stream.

    `pcm` is (n,) int16; `features` (frames, n_mfcc) float32 are the MFCC before normalization, one
    row for each whole frame of `pcm`; `scores` maps the key of a model file to (rows, n_labels)
    float32, the rows that the whole steps of those frames give.
    """

    pcm: Pcm
    features: Floats
    scores: Mapping[str, Floats]


def write_golden(path: Path, golden: Golden) -> None:
    """Write golden vectors as .npz; equal vectors give equal bytes."""
    path.write_bytes(encode_golden(golden))


def encode_golden(golden: Golden) -> bytes:
    """Return the bytes of the .npz file."""
    arrays: dict[str, NDArray[Any]] = {"pcm": golden.pcm, "features": golden.features}
    arrays |= {SCORES + key: scores for key, scores in sorted(golden.scores.items())}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored: zlib's bytes differ by version
        for name, array in arrays.items():
            plain = io.BytesIO()
            np.lib.format.write_array(plain, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), plain.getvalue())
    return buffer.getvalue()


def read_golden(path: Path) -> Golden:
    """Read golden vectors.

    Raises BundleError for a file that is missing, damaged, too large, or holds other arrays than
    golden vectors have.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _golden(_read_arrays(archive))
    except UNREADABLE as error:
        raise BundleError(f"{path}: no golden vectors: {error}; export the bundle again") from error


def _read_arrays(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    """Return every array of the archive, after looking at what they would weigh unpacked."""
    members = archive.infolist()
    if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
        raise ValueError(f"more than {MAX_ARRAYS} arrays or {MAX_BYTES} bytes unpacked")
    arrays = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in arrays:
            raise ValueError(f"two arrays of the name {name!r}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"array {name!r} is packed by method {member.compress_type}")
        with archive.open(member) as stream:  # a size given bounds what is unpacked
            arrays[name] = _read_array(stream.read(member.file_size), name)
    return arrays


def _read_array(data: bytes, name: str) -> NDArray[Any]:
    """Return one array, whose header may promise no more than the bytes that are there."""
    header = NPY.match(data)
    if header is None:
        raise ValueError(f"array {name!r} is no .npy of int16 or float32 in 1 or 2 dimensions")
    descr, *sizes = [group.decode() for group in header.groups() if group]
    shape = tuple(int(size) for size in sizes)
    values = np.frombuffer(data, np.uint8, offset=header.end())
    if math.prod(shape) * np.dtype(descr).itemsize != len(values) or 0 in shape:
        raise ValueError(f"array {name!r} of shape {shape} holds {len(values)} bytes")
    return np.frombuffer(values.tobytes(), descr).reshape(shape)


def _golden(arrays: Mapping[str, NDArray[Any]]) -> Golden:
    """Return the arrays under their names, each of its own type and rank."""
    missing = {"pcm", "features"} - arrays.keys()
    unknown = [n for n in arrays if n not in ("pcm", "features") and not n.startswith(SCORES)]
    if missing or unknown:
        raise ValueError(f"arrays missing {sorted(missing)}, not known {sorted(unknown)}")
    for name, array in arrays.items():
        dtype, rank = (np.int16, 1) if name == "pcm" else (np.float32, 2)
        if array.dtype != dtype or array.ndim != rank:
            raise ValueError(f"array {name!r} needs to be {np.dtype(dtype)} of {rank} dimensions")
        if not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds NaN or infinity")
    scores = {n.removeprefix(SCORES): a for n, a in arrays.items() if n.startswith(SCORES)}
    return Golden(pcm=arrays["pcm"], features=arrays["features"], scores=scores)
