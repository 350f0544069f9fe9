"""How far scores of an int8 TFLite model stray by rounding alone, and how far where it is spoilt.

Kernels of LiteRT, and of tflite_runtime from a Python that has it, against the reference kernels,
over many noises that sound like the golden audio; and models of which one layer is spoilt, or the
states are not carried on, over the golden audio. The limits of runtime/agreement.py lie between.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ai_edge_litert.schema_py_generated import BuiltinOperator
from measure import ROOT, print_table, run_script
from numpy.typing import NDArray

from edgekws.bundle import Bundle, ModelFile
from edgekws.engines import Engine, open_engine
from edgekws.engines.tflite_engine import TfliteEngine, open_builtin, open_reference
from edgekws.events import Floats, Pcm
from edgekws.export.golden_audio import vocode
from edgekws.export.scores import clip_steps, score_steps
from edgekws.export.tflite_file import pack_model, read_model
from edgekws.runtime.agreement import largest_difference, typical_row
from edgekws.runtime.wiring import find_bundle, find_model

KEY: Final = "tflite-int8"
NOISES: Final = 60
WEIGHTED: Final = {
    BuiltinOperator.CONV_2D,
    BuiltinOperator.DEPTHWISE_CONV_2D,
    BuiltinOperator.FULLY_CONNECTED,
}

# Scores of recordings, (recordings, rows, labels), in the runtime that another Python has.
THERE: Final = """
import sys
from pathlib import Path
import numpy as np
from edgekws.engines import open_engine
from edgekws.runtime.wiring import find_bundle, find_model

bundle, steps, out = Path(sys.argv[1]), np.load(sys.argv[3]), []
entry = find_model(find_bundle(bundle), sys.argv[2])
engine = open_engine("tflite", bundle / entry.file.path, entry.graph)
for recording in steps:
    engine.reset()
    out.append(np.concatenate([engine.step(step) for step in recording]))
np.save(sys.argv[4], out)
"""


@dataclass(frozen=True, slots=True)
class Off:
    """How far the scores of one recording are off."""

    largest: float
    row: float


@dataclass(frozen=True, slots=True)
class Subject:
    """An int8 model of a bundle."""

    bundle: Bundle
    entry: ModelFile

    @property
    def data(self) -> bytes:
        """The file."""
        return self.bundle.model_path(self.entry).read_bytes()

    def steps(self, pcm: Pcm) -> list[Floats]:
        """Return what the model takes of a recording."""
        return clip_steps(self.bundle.manifest.model, pcm, graph=self.entry.graph)

    def scores(self, engine: Engine, pcm: Pcm) -> Floats:
        """Return the posteriors of a recording, (rows, n_labels)."""
        return score_steps(self.bundle.manifest.model, engine, self.steps(pcm))


def main() -> int:
    """Print a JSON object for each bundle and cause, and a table on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="+", help=f"with a {KEY}")
    parser.add_argument("--runtime", type=Path, help="a Python with tflite_runtime")
    parser.add_argument("--noises", type=int, default=NOISES)
    args = parser.parse_args()
    rows = [row for path in args.bundle for row in measure(path, args.noises, args.runtime)]
    for row in rows:
        print(json.dumps(row))
    print_table(tuple(rows[0]), [[str(value) for value in row.values()] for row in rows])
    return 0


def measure(path: Path, noises: int, runtime: Path | None) -> Iterator[dict[str, object]]:
    """Give the rows of one bundle: other kernels first, then what is spoilt."""
    bundle = find_bundle(path)
    subject = Subject(bundle, find_model(bundle, KEY))
    golden, rate = bundle.golden().pcm, bundle.manifest.model.features.sample_rate
    heard = [vocode(golden, sample_rate=rate, seed=seed) for seed in range(noises)]
    exact = open_reference(subject.data, subject.entry.graph)
    right = [subject.scores(exact, pcm) for pcm in heard]
    for name, opening in (("XNNPACK", TfliteEngine), ("built-in", open_builtin)):
        engine = opening(subject.data, subject.entry.graph)
        found = [subject.scores(engine, pcm) for pcm in heard]
        yield row(path.name, name, off(found, right))
    if runtime:
        yield row(path.name, "tflite_runtime", off(elsewhere(subject, heard, runtime), right))
    for name, engines in spoilt(subject):
        found = [subject.scores(engine, golden) for engine in engines]
        yield row(path.name, name, off(found, [subject.scores(exact, golden)] * len(found)))


def off(found: Sequence[Floats], right: Sequence[Floats]) -> list[Off]:
    """Return how far recordings are off, one by one."""
    pairs = zip(found, right, strict=True)
    return [Off(largest_difference(*pair), typical_row(*pair)) for pair in pairs]


def row(bundle: str, cause: str, found: Sequence[Off]) -> dict[str, object]:
    """Return the row of one cause: least, median, 95th percentile and most."""
    cells: dict[str, object] = {"bundle": bundle, "cause": cause, "n": len(found)}
    for name, values in (
        ("largest score", [each.largest for each in found]),
        ("typical row", [each.row for each in found]),
    ):
        cells[name] = " ".join(f"{value:.3f}" for value in np.percentile(values, (0, 50, 95, 100)))
    return cells


def elsewhere(subject: Subject, heard: Sequence[Pcm], runtime: Path) -> list[Floats]:
    """Return the scores of recordings in the runtime of another Python."""
    with tempfile.TemporaryDirectory() as aside:
        given, taken = Path(aside, "steps.npy"), Path(aside, "scores.npy")
        np.save(given, [subject.steps(pcm) for pcm in heard])
        folder, key = subject.bundle.path.absolute(), subject.entry.key
        argv: list[str | Path] = [runtime, "-c", THERE, folder, key, given, taken]
        subprocess.run(argv, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        return list(np.load(taken))


def spoilt(subject: Subject) -> Iterator[tuple[str, list[Engine]]]:
    """Give the model spoilt in each way, at each of its layers or states."""
    graph = subject.entry.graph
    for name, spoil in (
        ("no bias", without_bias), ("taps reversed", reversed_taps), ("channels off", rolled)
    ):  # fmt: skip
        files = [file for file in each_layer(subject.data, spoil) if file != subject.data]
        yield name, [open_engine("tflite", file, graph) for file in files]
    yield "states not carried", [Forgetful(subject)]


def each_layer(
    data: bytes, spoil: Callable[[NDArray[np.int8], NDArray[np.int32]], None]
) -> Iterator[bytes]:
    """Give the file with each of its layers with weights spoilt in turn."""
    (graph,) = read_model(data).subgraphs
    for index in range(len(graph.operators)):
        model = read_model(data)
        operator = model.subgraphs[0].operators[index]
        if model.operatorCodes[operator.opcodeIndex].builtinCode in WEIGHTED:
            weights, bias = (model.subgraphs[0].tensors[at] for at in operator.inputs[1:3])
            kernel = np.array(buffer_of(model, weights).data, np.uint8).view(np.int8)
            offsets = np.array(buffer_of(model, bias).data, np.uint8).view(np.int32)
            spoil(kernel.reshape(weights.shape), offsets)
            buffer_of(model, weights).data = kernel.view(np.uint8)
            buffer_of(model, bias).data = offsets.view(np.uint8)
            yield pack_model(model)


def buffer_of(model: Any, tensor: Any) -> Any:
    """Return the buffer that holds a constant."""
    return model.buffers[tensor.buffer]


def without_bias(_: NDArray[np.int8], bias: NDArray[np.int32]) -> None:
    bias[:] = 0


def reversed_taps(kernel: NDArray[np.int8], _: NDArray[np.int32]) -> None:
    if kernel.ndim == 4:
        kernel[:] = kernel[:, ::-1, ::-1].copy()


def rolled(kernel: NDArray[np.int8], _: NDArray[np.int32]) -> None:
    kernel[:] = np.roll(kernel, 1, axis=-1)


class Forgetful:
    """The model from the start of a stream in every step."""

    def __init__(self, subject: Subject) -> None:
        self._engine = TfliteEngine(subject.data, subject.entry.graph)

    def step(self, features: Floats) -> Floats:
        """Forget, and step."""
        self._engine.reset()
        return self._engine.step(features)

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""


if __name__ == "__main__":
    run_script(main)
