"""Finds the tensors that eight bits spoil, and keeps what makes and reads them in float.

The search runs only where the int8 model decides otherwise than the float model on the audio of the
calibration; held-out audio has no say in it. A tensor is freed by leaving what makes, carries and
reads its values out of the quantization: with one of them inside, they would be rounded anyway.
What a graph is made of, and how it is quantized, each format says for itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from edgekws.engines.engine import Engine
from edgekws.events import Floats
from edgekws.export.formats import Job, Steps
from edgekws.export.scores import score_steps
from edgekws.runtime.detector import rows_to_fill
from edgekws.specs import ModelSpec

AGREEMENT: Final = 0.99
"""Share of rows with the float model's label, or with one of nearly the same score. Sound models
reach 0.998."""

TIE: Final = 0.1
"""Labels whose scores differ by less are equally right: most rows of a stream lie between words,
where two labels are nearly equal, and the label alone agrees in 0.975 to 0.993 of a sound model."""

SEARCH_STEPS: Final = 200  # per trial; the whole is quantized and judged on all clips again
MOST_TENSORS: Final = 4  # more than these in float, and the model is no int8 model any more

Nodes = frozenset[str]
Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph, and the names of the tensors that it reads and makes.

    One that `carries` only hands values on, such as a concatenation with a state, or a pool.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    carries: bool
    quantized: bool


class Quantizer(Protocol[Model]):
    """A float graph in one format, calibrated on some clips."""

    def nodes(self) -> Sequence[Node]:
        """Return the graph in the order in which it runs."""
        ...

    def quantize(self, in_float: Nodes) -> Model:
        """Return the int8 model; the nodes of these names stay in float."""
        ...

    def open(self, model: Model) -> Engine:
        """Return the device's engine with that model."""
        ...

    def open_float(self) -> Engine:
        """Return the device's engine with the float graph."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """What stays in float, for which tensor, and how often the model then agrees."""

    tensor: str
    nodes: Nodes
    agreement: float


def sound(calibrated: Callable[[Sequence[Steps]], Quantizer[Model]], job: Job) -> Model:
    """Return the int8 model of a net, with sensitive tensors in float where it needs them.

    `calibrated` gives the net's quantizer for some clips. Every tensor that stays in float is told
    with the reason. Where no few of them help, the plain int8 model comes back, and parity then
    says what is wrong with it.
    """
    quantizer = calibrated(job.clips)
    plain = quantizer.quantize(frozenset())
    judge = _Judge(quantizer, job.model, job.clips)
    before = judge.agreement(plain)
    if before >= AGREEMENT:
        return plain
    kept = _search(calibrated, job, start=Trial("", frozenset(), before))
    model = quantizer.quantize(kept)
    return model if judge.agreement(model) > before else plain


class _Judge(Generic[Model]):
    """Compares the models of a quantizer with its float graph over the same steps."""

    def __init__(
        self, quantizer: Quantizer[Model], model: ModelSpec, clips: Sequence[Steps]
    ) -> None:
        self._quantizer = quantizer
        self._model, self._clips = model, clips
        self._wanted = self._scores(quantizer.open_float())

    def agreement(self, candidate: Model) -> float:
        """Return the share of rows that get the float model's label, or one as good."""
        labels = self._scores(self._quantizer.open(candidate)).argmax(axis=1)
        given = np.take_along_axis(self._wanted, labels[:, None], axis=1)[:, 0]
        return float(np.mean(given > self._wanted.max(axis=1) - TIE))

    def _scores(self, engine: Engine) -> Floats:
        rows = [score_steps(self._model, engine, clip) for clip in self._clips]
        full = rows_to_fill(self._model) - 1  # before that the window is not full of audio
        return np.concatenate([s[min(full, len(s) - 1) :] for s in rows])


def _search(
    calibrated: Callable[[Sequence[Steps]], Quantizer[Model]], job: Job, *, start: Trial
) -> Nodes:
    """Free one tensor after the other, the one that helps most first, until the model agrees."""
    clips = job.clips[:: -(-sum(map(len, job.clips)) // SEARCH_STEPS)]
    quantizer = calibrated(clips)
    judge, candidates = _Judge(quantizer, job.model, clips), neighbourhoods(quantizer.nodes())

    def tried(tensor: str, kept: Nodes) -> Trial:
        nodes = kept | candidates[tensor]
        return Trial(tensor, nodes, judge.agreement(quantizer.quantize(nodes)))

    best = start
    for _ in range(MOST_TENSORS):
        trial = _best(tried, best.nodes, candidates)
        if trial is None or trial.agreement <= best.agreement:
            break
        job.say(
            f"kept in float: {trial.tensor}, because in 8 bits {best.agreement:.1%} of rows get "
            f"the float model's label or one as good, without it {trial.agreement:.1%}"
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


def neighbourhoods(nodes: Iterable[Node]) -> dict[str, Nodes]:
    """Return for every activation that 8 bits would hold the nodes that make, carry and read it.

    An activation goes by the name of the tensor where it is made; one that is carried on is the
    same before and after.
    """
    origins: dict[str, str] = {}
    ends: dict[str, set[str]] = {}
    quantized = set()
    for node in nodes:
        read = {origins[name] for name in node.inputs if name in origins}
        carried = min(read, default=None) if node.carries else None
        for output in node.outputs:
            origins[output] = carried or output
            ends.setdefault(origins[output], set()).add(node.name)
        for origin in read:
            ends[origin].add(node.name)
        quantized |= {node.name} if node.quantized else set()
    return {name: frozenset(found & quantized) for name, found in ends.items() if found & quantized}
