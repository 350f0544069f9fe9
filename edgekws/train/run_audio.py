"""The audio that a run keeps for export: held-out clips, calibration clips, and a long stream."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import RunError
from edgekws.events import Pcm
from edgekws.train.run import write_aside

HELDOUT_FILE: Final = "heldout.npz"
CALIBRATION_FILE: Final = "calibration.npz"
STREAM_FILE: Final = "stream.npz"


@dataclass(frozen=True, slots=True)
class Heldout:
    """Validation clips: `pcm` (clips, samples) int16, `labels` (clips,) int64 into run.labels."""

    pcm: Pcm
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stream:
    """Long noise and other speech with commands laid in.

    `pcm` is (n,) int16; `truth` is (k, 3) int64 rows of start sample, end sample and label index.
    Thresholds are chosen on samples [0, tune_end), figures reported on the rest.
    """

    pcm: Pcm
    truth: NDArray[np.int64]
    tune_end: int


def save_heldout(folder: Path, heldout: Heldout) -> None:
    """Write RUN/heldout.npz."""
    _save(folder / HELDOUT_FILE, {"pcm": heldout.pcm, "labels": heldout.labels})


def load_heldout(folder: Path) -> Heldout:
    """Read RUN/heldout.npz; RunError where it is missing, damaged or empty."""
    path = folder / HELDOUT_FILE
    arrays = _load(path, {"pcm": (np.int16, 2), "labels": (np.int64, 1)})
    if not 0 < len(arrays["pcm"]) == len(arrays["labels"]):
        raise RunError(f"{path}: needs one label per clip and a clip or more; train again")
    return Heldout(arrays["pcm"], arrays["labels"])


def save_calibration(folder: Path, pcm: Pcm) -> None:
    """Write RUN/calibration.npz: (clips, samples) int16 of real training audio."""
    _save(folder / CALIBRATION_FILE, {"pcm": pcm})


def load_calibration(folder: Path) -> Pcm:
    """Read RUN/calibration.npz, (clips, samples) int16; RunError where it cannot be used."""
    path = folder / CALIBRATION_FILE
    pcm: Pcm = _load(path, {"pcm": (np.int16, 2)})["pcm"]
    if pcm.size == 0:
        raise RunError(f"{path}: holds no audio; train again")
    return pcm


def save_stream(folder: Path, stream: Stream) -> None:
    """Write RUN/stream.npz."""
    tune_end = np.array(stream.tune_end, np.int64)
    _save(folder / STREAM_FILE, {"pcm": stream.pcm, "truth": stream.truth, "tune_end": tune_end})


def load_stream(folder: Path) -> Stream:
    """Read RUN/stream.npz; RunError where it is missing or damaged."""
    path = folder / STREAM_FILE
    arrays = _load(path, {"pcm": (np.int16, 1), "truth": (np.int64, 2), "tune_end": (np.int64, 0)})
    tune_end = int(arrays["tune_end"])
    if arrays["truth"].shape[1] != 3 or not 0 <= tune_end <= len(arrays["pcm"]):
        raise RunError(f"{path}: truth needs 3 columns, tune_end a place in it; train again")
    return Stream(arrays["pcm"], arrays["truth"], tune_end)


def _save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_aside(path, buffer.getvalue())


def _load(path: Path, expected: Mapping[str, tuple[type, int]]) -> dict[str, NDArray[Any]]:
    """Read the named arrays, each of the given type and number of dimensions."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in expected}
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error}); train the run again") from error
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: damaged ({error}); train the run again") from error
    for name, (dtype, dimensions) in expected.items():
        found = arrays[name]
        if found.dtype != dtype or found.ndim != dimensions:
            raise RunError(f"{path}: {name} is {found.dtype} {found.shape}; train the run again")
    return arrays
