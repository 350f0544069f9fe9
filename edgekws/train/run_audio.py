"""Reading the audio that a run keeps for export: held-out clips and calibration clips."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import RunError
from edgekws.events import Pcm

HELDOUT_FILE: Final = "heldout.npz"
CALIBRATION_FILE: Final = "calibration.npz"


@dataclass(frozen=True, slots=True)
class Heldout:
    """Validation clips: `pcm` (clips, samples) int16, `labels` (clips,) int64 into run.labels."""

    pcm: Pcm
    labels: NDArray[np.int64]


def load_heldout(folder: Path, *, n_labels: int) -> Heldout:
    """Read RUN/heldout.npz; RunError where it is missing, damaged, empty or of other labels."""
    path = folder / HELDOUT_FILE
    arrays = _load(path, {"pcm": (np.int16, 2), "labels": (np.int64, 1)})
    labels = arrays["labels"]
    if not 0 < len(arrays["pcm"]) == len(labels):
        raise RunError(f"{path}: needs one label per clip and a clip or more; train again")
    if labels.min() < 0 or labels.max() >= n_labels:
        raise RunError(f"{path}: a label beyond the {n_labels} of run.json; train again")
    return Heldout(arrays["pcm"], labels)


def load_calibration(folder: Path) -> Pcm:
    """Read RUN/calibration.npz, (clips, samples) int16; RunError where it cannot be used."""
    path = folder / CALIBRATION_FILE
    pcm: Pcm = _load(path, {"pcm": (np.int16, 2)})["pcm"]
    if not pcm.any():
        raise RunError(f"{path}: holds no sound to calibrate with; train again")
    return pcm


def _load(path: Path, expected: Mapping[str, tuple[type, int]]) -> dict[str, NDArray[Any]]:
    """Read the named arrays, each of the given type and number of dimensions."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in expected}
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}); export needs a whole run folder: "
            "make one with `edgekws adapt`"
        ) from error
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: damaged ({error}); train the run again") from error
    for name, (dtype, dimensions) in expected.items():
        found = arrays[name]
        if found.dtype != dtype or found.ndim != dimensions:
            raise RunError(f"{path}: {name} is {found.dtype} {found.shape}; train the run again")
    return arrays
