"""The firmware that `edgekws export --target mcu` writes, compiled for this machine and called."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from edgekws.bundle import Bundle, open_bundle
from edgekws.errors import MissingExtraError
from edgekws.events import Floats, Pcm
from edgekws.export.mcu_features import (
    FIXED_FILE,
    FLOAT_FILE,
    FORMATS_FILE,
    fixed_source,
    float_source,
    formats_header,
)
from edgekws.export.mcu_firmware import find_sources, firmware_files, mcu_model
from edgekws.export.mcu_model import McuModel
from edgekws.export.mcu_reference import Integers
from edgekws.export.mcu_trigger import TriggerValues
from edgekws.specs import FeatureSpec, ModelSpec, TensorSpec
from tests.firmware_tools import ROOT, run, tool
from tests.needs import lacking

TINY: Final = ROOT / "models" / "bundles" / "commands-12-tiny"
STRICT: Final = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
OBJECT_BYTES: Final = 1024  # more than ekws_kws has anywhere


class Work(ctypes.Structure):
    _fields_ = (("bins", ctypes.c_void_p), ("levels", ctypes.c_void_p))


class Detection(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_uint32),
        ("label", ctypes.c_uint16),
        ("score", ctypes.c_uint16),
        ("sample", ctypes.c_uint64),
    )


class Values(ctypes.Structure):
    _fields_ = (
        ("label", ctypes.c_uint16),
        ("rows", ctypes.c_uint16),
        ("on", ctypes.c_uint32),
        ("off", ctypes.c_uint32),
        ("consecutive", ctypes.c_uint16),
        ("refractory", ctypes.c_uint32),
    )


class Table(ctypes.Structure):
    _fields_ = (
        ("commands", ctypes.POINTER(Values)),
        ("command_count", ctypes.c_uint16),
        ("label_count", ctypes.c_uint16),
        ("depth", ctypes.c_uint16),
    )


class TriggerObject(ctypes.Structure):
    _fields_ = (
        ("states", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("next_id", ctypes.c_uint32),
    )


Heard = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Detection))
Row = tuple[int, int, int]
"""Label, score in 1/65536, sample."""
Place = tuple[str, int]
"""The label of a detection, and its sample."""


def same_places(found: Sequence[Place], wanted: Sequence[Place], *, slack: int) -> bool:
    """Tell whether the same labels were heard, each within so many samples.

    Kernels round differently, so that a mean may reach its threshold one row of scores sooner or
    later; 0 samples measured on the golden audio of the shipped bundle.
    """
    return [label for label, _ in found] == [label for label, _ in wanted] and all(
        abs(has - needs) <= slack for (_, has), (_, needs) in zip(found, wanted, strict=True)
    )


@dataclass(frozen=True)
class Firmware:
    """The folder, what it was made of, and the folder's library for this machine."""

    folder: Path
    bundle: Bundle
    model: McuModel
    library: ctypes.CDLL

    def address(self, name: str) -> ctypes.c_void_p:
        """Return where a constant of the firmware lies."""
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(self.library, name)))


def write_firmware_of(bundle: Path, folder: Path) -> tuple[Bundle, McuModel]:
    """Write the firmware's folder of a bundle; without tflite-micro fail in CI, else skip."""
    opened = open_bundle(bundle)
    try:
        model = mcu_model(opened)
    except MissingExtraError as error:
        lacking(str(error))
    for name, content in firmware_files(model, opened).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return opened, model


def build_firmware(folder: Path, *, bundle: Path = TINY) -> Firmware:
    """Write the firmware of a bundle and compile its sources as a library of this machine."""
    opened, model = write_firmware_of(bundle, folder)
    path = folder / "libkws.so"
    sources = sorted((folder / "src").glob("*.c"))
    run([tool("gcc"), *STRICT, "-O2", "-shared", "-fPIC", "-o", path, *sources, "-lm"])
    return Firmware(folder, opened, model, ctypes.CDLL(str(path)))


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def build_front_end(folder: Path, model: ModelSpec, features: TensorSpec) -> ctypes.CDLL:
    """Compile the front end alone, with the tables of any features."""
    own = [find_sources() / place for place in ("include", "src")]
    kinds = ("fixed", "float")
    tables = "".join(f"extern const ekws_mfcc ekws_model_mfcc_{kind};\n" for kind in kinds)
    (folder / "model_meta.h").write_text(f'#include "ekws_mfcc.h"\n{tables}')
    (folder / FORMATS_FILE).write_text(formats_header())
    (folder / FIXED_FILE).write_text(fixed_source(model, features))
    (folder / FLOAT_FILE).write_text(float_source(model, features))
    sources = [own[1] / f"ekws_mfcc_{kind}.c" for kind in kinds]
    include = [f"-I{place}" for place in (folder, *own)]
    path = folder / "libmfcc.so"
    flags = [*STRICT, "-O2", "-shared", "-fPIC", *include]
    run(
        [tool("gcc"), *flags, "-o", path, *sources, folder / FIXED_FILE, folder / FLOAT_FILE, "-lm"]
    )
    return ctypes.CDLL(str(path))


class CNet:
    """The engine of the firmware and its memory."""

    def __init__(self, firmware: Firmware) -> None:
        self._firmware, plan = firmware, firmware.model.net.plan
        graph = firmware.model.net.graph
        self._memory = np.zeros(plan.size, np.int8)
        self._features = plan.places[graph.inputs[0]].offset
        self._scores = plan.places[graph.outputs[0]].offset
        self._shape = graph.tensors[graph.outputs[0]].shape[1:]
        self._net = firmware.address("ekws_model_net")
        self.reset()

    def reset(self) -> None:
        self._firmware.library.ekws_net_reset(self._net, pointer(self._memory))

    def step(self, features: Integers) -> Integers:
        """Take (step_frames, n_mfcc) and return (rows, n_labels), both int8."""
        self._memory[self._features : self._features + features.size] = features.reshape(-1)
        self._firmware.library.ekws_net_step(self._net, pointer(self._memory))
        end = self._scores + int(np.prod(self._shape))
        return self._memory[self._scores : end].reshape(self._shape).copy()


def c_mfcc(firmware: Firmware, pcm: Pcm, *, kind: str) -> Floats:
    """Return the coefficients of every whole window, (frames, n_mfcc), by "fixed" or "float"."""
    return library_mfcc(firmware.library, firmware.model.spec.features, pcm, kind=kind)


def library_mfcc(library: ctypes.CDLL, spec: FeatureSpec, pcm: Pcm, *, kind: str) -> Floats:
    """Return the same by a library that has at least the front end of a spec."""
    bins = np.zeros(spec.fft // 2 + 1, np.uint64)
    levels = np.zeros(spec.n_mels, np.uint32)
    work = Work(bins.ctypes.data, levels.ctypes.data)
    compute = getattr(library, f"ekws_mfcc_{kind}_coefficients")
    tables = ctypes.byref(ctypes.c_char.in_dll(library, f"ekws_model_mfcc_{kind}"))
    row = np.zeros(spec.n_mfcc, np.int32 if kind == "fixed" else np.float32)
    rows = np.zeros((spec.frames(len(pcm)), spec.n_mfcc), np.float32)
    for at in range(len(rows)):
        window = np.ascontiguousarray(pcm[at * spec.hop : at * spec.hop + spec.window])
        compute(tables, pointer(window), work, pointer(row))
        rows[at] = row / 65536 if kind == "fixed" else row
    return rows


class CKws:
    """The whole of the firmware: samples in, detections out."""

    def __init__(self, firmware: Firmware, *, kind: str = "fixed") -> None:
        self._library, self._labels = firmware.library, firmware.model.spec.labels
        self._model = firmware.address(f"ekws_model_{kind}")
        self.bytes = int(firmware.library.ekws_kws_memory(self._model))
        self._memory = np.zeros(self.bytes // 8 + 1, np.uint64)
        self._object = ctypes.create_string_buffer(OBJECT_BYTES)
        self.found: list[Row] = []
        self._heard = Heard(self._keep)
        assert self.start(self.bytes) == 0

    def start(self, size: int, *, offset: int = 0) -> int:
        """Begin with so many bytes of memory, and return the status."""
        place = ctypes.c_void_p(self._memory.ctypes.data + offset)
        return int(self._library.ekws_kws_init(self._object, self._model, place, size))

    def reset(self, sample: int) -> None:
        self._library.ekws_kws_reset(self._object, ctypes.c_uint64(sample))

    def push(self, pcm: Pcm, *, portion: int = 1 << 30) -> Self:
        """Take samples in portions; what is heard is added to `found`."""
        for at in range(0, len(pcm), portion):
            part = np.ascontiguousarray(pcm[at : at + portion])
            self._library.ekws_kws_push(self._object, pointer(part), len(part), self._heard, None)
        return self

    def places(self) -> list[Place]:
        """Return labels and samples of what was heard."""
        return [(self._labels[label], sample) for label, _, sample in self.found]

    def _keep(self, _: object, found: Any) -> None:
        detection = found.contents
        self.found.append((detection.label, detection.score, detection.sample))


class CTrigger:
    """The trigger of the firmware by itself, with any values."""

    def __init__(
        self, library: ctypes.CDLL, values: Sequence[TriggerValues], n_labels: int
    ) -> None:
        self._library, self._kept = library, (Values * len(values))(*map(_values, values))
        depth = max(value.rows for value in values)
        self._table = Table(self._kept, len(values), n_labels, depth)
        self._states = np.zeros(2 * len(values), np.uint64)
        self._rows = np.zeros(depth * len(values), np.uint8)
        self._object = TriggerObject(self._states.ctypes.data, self._rows.ctypes.data, 0)
        library.ekws_trigger_reset(ctypes.byref(self._object), ctypes.byref(self._table))

    def push(self, scores: Integers, sample: int) -> Row | None:
        """Take one row of int8 posteriors; return what it completes."""
        found, row = Detection(), np.ascontiguousarray(scores)
        fired = self._library.ekws_trigger_push(
            ctypes.byref(self._object),
            ctypes.byref(self._table),
            pointer(row),
            ctypes.c_uint64(sample),
            ctypes.byref(found),
        )
        return (found.label, found.score, found.sample) if fired else None


def _values(values: TriggerValues) -> Values:
    fields: Mapping[str, int] = {
        name: getattr(values, name)
        for name in ("label", "rows", "on", "off", "consecutive", "refractory")
    }
    return Values(**fields)
