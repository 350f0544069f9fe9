"""Finds the tensors that eight bits spoil, and keeps what makes and reads them in float.

The search runs only where the int8 model decides otherwise than the float model on the audio of the
calibration; held-out audio has no say in it. A tensor is freed by leaving what makes, carries and
reads its values out of the quantization: with one of them inside, they would be rounded anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import onnx

from edgekws.engines.registry import open_engine
from edgekws.events import Floats
from edgekws.export.formats import Job, Say, Steps
from edgekws.export.quantize import QUANTIZED_OPS, to_int8
from edgekws.export.scores import score_steps
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.runtime.detector import rows_to_fill
from edgekws.specs import ModelSpec

AGREEMENT: Final = 0.98
"""Share of rows with the float model's label. Sound models reach 0.99: most rows of a stream lie
between words, where two labels are nearly equal."""

SEARCH_CLIPS: Final = 16  # per trial; the whole is quantized and judged on all of them again
CARRIERS: Final = ("Relu", "Concat", "Slice", "AveragePool", "MaxPool")
MOST_TENSORS: Final = 4  # more than these in float, and the model is no int8 model any more

Nodes = frozenset[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """What stays in float, for which tensor, and how often the model then agrees."""

    tensor: str
    nodes: Nodes
    agreement: float


@lru_cache(maxsize=1)
def sound_int8(job: Job) -> onnx.ModelProto:
    """Return the int8 graph of a net, with sensitive tensors in float where it needs them.

    Every tensor that stays in float is told with the reason. Where no few of them help, the plain
    int8 model comes back, and parity then says what is wrong with it. ONNX and OpenVINO both start
    from it, so the last job's is kept: it is to be read only.
    """
    fp32 = to_onnx(job.net, job.model)
    plain = to_int8(fp32, job.clips)
    judge = _Judge(fp32, job.model, job.clips)
    before = judge.agreement(plain)
    if before >= AGREEMENT:
        return plain
    kept = _search(fp32, job, start=Trial("", frozenset(), before), say=job.say)
    model = to_int8(fp32, job.clips, in_float=kept)
    return model if judge.agreement(model) > before else plain


class _Judge:
    """Compares models with the float one over the same steps."""

    def __init__(self, fp32: onnx.ModelProto, model: ModelSpec, clips: Sequence[Steps]) -> None:
        self._model, self._clips = model, clips
        self._labels = self._decide(fp32)

    def agreement(self, candidate: onnx.ModelProto) -> float:
        """Return the share of rows that get the float model's label."""
        return float(np.mean(self._decide(candidate) == self._labels))

    def _decide(self, candidate: onnx.ModelProto) -> Floats:
        engine = open_engine("onnx", candidate.SerializeToString(), graph_spec(candidate))
        rows = [score_steps(self._model, engine, clip) for clip in self._clips]
        full = rows_to_fill(self._model) - 1  # before that the window is not full of audio
        return np.concatenate([s[min(full, len(s) - 1) :].argmax(axis=1) for s in rows])


def _search(fp32: onnx.ModelProto, job: Job, *, start: Trial, say: Say) -> Nodes:
    """Free one tensor after the other, the one that helps most first, until the model agrees."""
    clips = job.clips[:: -(-len(job.clips) // SEARCH_CLIPS)]
    judge, candidates = _Judge(fp32, job.model, clips), neighbourhoods(fp32)

    def tried(tensor: str, kept: Nodes) -> Trial:
        nodes = kept | candidates[tensor]
        return Trial(tensor, nodes, judge.agreement(to_int8(fp32, clips, in_float=nodes)))

    best = start
    for _ in range(MOST_TENSORS):
        trial = _best(tried, best.nodes, candidates)
        if trial is None or trial.agreement <= best.agreement:
            break
        say(
            f"kept in float: {trial.tensor}, because in 8 bits {best.agreement:.1%} of rows get "
            f"the float model's label, without it {trial.agreement:.1%}"
        )
        best = trial
        if best.agreement >= AGREEMENT:
            break
    return best.nodes


def _best(
    tried: Callable[[str, Nodes], Trial], kept: Nodes, candidates: dict[str, Nodes]
) -> Trial | None:
    trials = [tried(tensor, kept) for tensor, nodes in candidates.items() if not nodes <= kept]
    return max(trials, key=lambda trial: trial.agreement, default=None)


def neighbourhoods(model: onnx.ModelProto) -> dict[str, Nodes]:
    """Return for every activation that 8 bits would hold the nodes that make, carry and read it.

    An activation goes by the name of the tensor where it is made. Nodes that only carry values on
    (a concatenation with a state, a pool) hold the same activation before and after.
    """
    origins: dict[str, str] = {}
    ends: dict[str, set[str]] = {}
    for node in model.graph.node:
        read = {origins[name] for name in node.input if name in origins}
        carried = min(read, default=None) if node.op_type in CARRIERS else None
        for output in node.output:
            origins[output] = carried or output
            ends.setdefault(origins[output], set()).add(node.name)
        for origin in read:
            ends[origin].add(node.name)
    quantized = {node.name for node in model.graph.node if node.op_type in QUANTIZED_OPS}
    return {name: frozenset(nodes & quantized) for name, nodes in ends.items() if nodes & quantized}
