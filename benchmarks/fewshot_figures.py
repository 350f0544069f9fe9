"""What a few-shot method reaches: accuracy on clips, misses at a budget of false accepts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Final

import numpy as np
from fewshot_task import RATE, Task
from numpy.typing import NDArray
from probes import Features

from edgekws.events import Floats, Pcm

SMOOTHING_SECONDS: Final = 0.24  # of a stream's scores, as the trigger has it
REFRACTORY_SECONDS: Final = 1.0
FALSE_ACCEPTS: Final = (1.0, 0.5, 0.1)  # per hour
MOST_EVENTS: Final = 400  # more false accepts than any budget allows
COMMANDS_FROM: Final = 2  # the first labels are _silence_ and _unknown_


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one method, K and seed: accuracy, and miss rate by false accepts per hour."""

    method: str
    k: int
    seed: int
    accuracy: float
    misses: dict[float, float]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A method's posteriors: of clips decided alone (clips, labels), of streams (rows, labels)."""

    features: Features
    posteriors: Callable[[Floats], Floats]

    def clips(self, pcm: Sequence[Pcm]) -> Floats:
        """Return (clips, labels)."""
        return self.posteriors(self.features.clips(pcm))

    def stream(self, pcm: Pcm) -> Floats:
        """Return (rows, labels)."""
        return self.posteriors(self.features.stream(pcm))

    @property
    def hop(self) -> int:
        """Return the samples between two rows of a stream."""
        return self.features.hop


def judge(task: Task, scorer: Scorer, *, method: str, k: int, seed: int) -> Figures:
    """Return the figures of a method: accuracy with other words as one class, and miss rates."""
    correct = []
    for index, word in enumerate(task.words):
        decided = scorer.clips(list(task.test[word])).argmax(1)
        correct.append(float((decided == index + COMMANDS_FROM).mean()))
    others = scorer.clips(list(task.others_test)).argmax(1)
    rejected = float((others < COMMANDS_FROM).mean())
    accuracy = (mean(correct) * len(correct) + rejected) / (len(correct) + 1)
    return Figures(method, k, seed, accuracy, _miss_rates(task, scorer))


def _miss_rates(task: Task, scorer: Scorer) -> dict[float, float]:
    """Return the mean miss rate over the words, each at its own threshold for each budget."""
    hop = scorer.hop
    negatives = [_smoothed(scorer.stream(pcm), hop) for pcm in task.negatives]
    labelled = list(enumerate(task.words, start=COMMANDS_FROM))
    heard = {w: np.array([_highest(scorer, s, i) for s in task.streams[w]]) for i, w in labelled}
    rates = {}
    for budget in FALSE_ACCEPTS:
        misses = []
        for label, word in labelled:
            peaks = np.sort(np.concatenate([_peaks(rows[:, label], hop) for rows in negatives]))
            allowed = math.floor(budget * task.hours)
            threshold = peaks[-allowed - 1] if allowed < len(peaks) else 0.0
            misses.append(float((heard[word] <= threshold).mean()))
        rates[budget] = mean(misses)
    return rates


def _highest(scorer: Scorer, pcm: Pcm, label: int) -> float:
    """Return the highest smoothed posterior of a label in a stream."""
    return float(_smoothed(scorer.stream(pcm), scorer.hop)[:, label].max())


def _smoothed(rows: Floats, hop: int) -> Floats:
    width = max(1, round(SMOOTHING_SECONDS * RATE / hop))
    total = np.cumsum(np.pad(rows, ((width, 0), (0, 0))), axis=0)
    return np.asarray((total[width:] - total[:-width]) / width)


def _peaks(scores: Floats, hop: int) -> NDArray[np.float64]:
    """Return the highest score of each event; events are a refractory time apart."""
    apart = round(REFRACTORY_SECONDS * RATE / hop)
    held, peaks = scores.astype(np.float64).copy(), []
    for _ in range(MOST_EVENTS):
        at = int(held.argmax())
        if held[at] <= 0:
            break
        peaks.append(held[at])
        held[max(0, at - apart) : at + apart + 1] = 0
    return np.array(peaks)
