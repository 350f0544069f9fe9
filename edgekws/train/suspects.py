"""Recordings that may have the wrong label, by confident learning (Northcutt et al. 2021).

A linear classifier over a base's embeddings scores every recording from the others; who is scored
as another label at least as surely as that label's own recordings are, is a suspect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from edgekws.events import Floats, Pcm
from edgekws.train import augment
from edgekws.train.evaluate import normalizer_of
from edgekws.train.findings import Examined
from edgekws.train.pretrained import Base

FOLDS: Final = 5
ROUNDS: Final = 2  # the second learns without the suspects of the first
FEWEST: Final = 5  # recordings of a label: below, the others say too little of it
SHRINKAGE: Final = 0.3
TEMPERATURES: Final = tuple(2.0 ** (n / 2) for n in range(16))
_BATCH: Final = 128


@dataclass(frozen=True, slots=True)
class Suspect:
    """Recording `index`, which sounds like label `other`; `margin` is by how much, 0 to 1."""

    index: int
    other: int
    margin: float


@torch.inference_mode()
def embed(base: Base, recordings: Sequence[Pcm]) -> Floats:
    """Return the base's embeddings (recordings, width) of the loudest second or so of each."""
    net, spec = base.net.eval(), base.run.features
    features = normalizer_of(base.run)
    length = spec.samples(net.config.window_frames)
    rows = []
    for first in range(0, len(recordings), _BATCH):
        part = [augment.centre(pcm, length) for pcm in recordings[first : first + _BATCH]]
        x = features(torch.from_numpy(np.stack(part).astype(np.float32)))
        pooled, _ = net.embeddings(x, net.zero_states(len(part)))
        rows.append(pooled[:, -1].numpy())
    return np.concatenate(rows).astype(np.float32)


def suspected(examined: Sequence[Examined], base: Base) -> list[tuple[Examined, str]]:
    """Return the recordings that sound like another label to a base, with that label."""
    speech = [one for one in examined if one.is_speech]
    if not speech:
        return []
    names = sorted({one.clip.label for one in speech})
    labels = np.array([names.index(one.clip.label) for one in speech], np.int64)
    groups = [one.speaker or one.file for one in speech]
    embeddings = embed(base, [one.clip.pcm for one in speech])
    found = find_suspects(embeddings, labels, groups)
    return [(speech[suspect.index], names[suspect.other]) for suspect in found]


def find_suspects(
    embeddings: Floats, labels: NDArray[np.int64], groups: Sequence[str]
) -> list[Suspect]:
    """Return the suspects among (n, width) embeddings, the surest first.

    `groups` are the speakers, as far as they are known: nobody's recording is scored by a
    classifier that heard the same person. Labels of fewer than `FEWEST` recordings are left out.
    """
    counts = np.bincount(labels)
    taken = np.flatnonzero(counts[labels] >= FEWEST)
    names, classes = np.unique(labels[taken], return_inverse=True)
    if len(names) < 2:
        return []
    folds = _folds(classes, [groups[i] for i in taken.tolist()])
    trusted, found = np.ones(len(taken), bool), list[tuple[int, int, float]]()
    for _ in range(ROUNDS):
        posteriors = out_of_fold(embeddings[taken], classes, folds, trusted)
        found = confident_others(posteriors, classes)
        trusted[:] = True
        trusted[[row for row, _, _ in found]] = False
    return [Suspect(int(taken[row]), int(names[other]), margin) for row, other, margin in found]


def confident_others(
    posteriors: Floats, classes: NDArray[np.int64]
) -> list[tuple[int, int, float]]:
    """Return (row, other class, margin) off the diagonal of the confident joint, surest first.

    A row counts for the likeliest of the classes that it reaches the mean self-confidence of.
    """
    rows = np.arange(len(classes))
    own = posteriors[rows, classes]
    sums = np.bincount(classes, own, posteriors.shape[1])
    thresholds = sums / np.bincount(classes, minlength=posteriors.shape[1])
    reached = np.where(posteriors >= thresholds, posteriors, -1.0)
    other = reached.argmax(axis=1)
    margins = posteriors[rows, other] - own
    found = np.flatnonzero((reached.max(axis=1) >= 0) & (other != classes))
    order = found[np.argsort(-margins[found], kind="stable")]
    return [(int(row), int(other[row]), float(margins[row])) for row in order]


def out_of_fold(
    embeddings: Floats,
    classes: NDArray[np.int64],
    folds: NDArray[np.int64],
    trusted: NDArray[np.bool_],
) -> Floats:
    """Return posteriors (n, classes), each row from a classifier that did not learn from it.

    They learn from the rows that are `trusted` alone.
    """
    x = (embeddings - embeddings.mean(0)) / (embeddings.std(0) + 1e-5)
    logits = np.zeros((len(x), int(classes.max()) + 1), np.float32)
    for fold in range(FOLDS):
        held = folds == fold
        learned = ~held & trusted
        if held.any():
            weights, bias = _fit(x[learned], classes[learned], logits.shape[1])
            logits[held] = x[held] @ weights + bias
    return _calibrated(logits, classes, trusted)


def _folds(classes: NDArray[np.int64], groups: Sequence[str]) -> NDArray[np.int64]:
    """Return the fold of each row: of a class's groups, in their order of the alphabet, by turns.

    A group is in one fold, unless a class would then be in one fold alone.
    """
    order = {name: rank for rank, name in enumerate(sorted(set(groups)))}
    folds = np.array([order[name] % FOLDS for name in groups])
    for label in np.unique(classes):
        own = np.flatnonzero(classes == label)
        if len(set(folds[own].tolist())) < 2:
            folds[own] = np.arange(len(own)) % FOLDS
    return folds


def _fit(x: Floats, classes: NDArray[np.int64], count: int) -> tuple[Floats, Floats]:
    """Return weights (width, classes) and bias of a linear discriminant, every class alike.

    The covariance within classes is drawn towards a multiple of the identity by `SHRINKAGE`.
    """
    members = np.eye(count, dtype=np.float32)[classes]  # (n, classes)
    sizes = np.maximum(members.sum(axis=0), 1.0)
    means = (members.T @ x) / sizes[:, None]  # (classes, width)
    spread = x - means[classes]
    covariance = (spread.T @ spread) / np.float32(len(x))
    level = np.trace(covariance) / len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
    weights = np.linalg.solve(shrunk, means.T.astype(np.float64))
    bias = -0.5 * np.einsum("cw,wc->c", means, weights)
    return weights.astype(np.float32), bias.astype(np.float32)


def _calibrated(logits: Floats, classes: NDArray[np.int64], trusted: NDArray[np.bool_]) -> Floats:
    """Return posteriors at the temperature under which the labels are likeliest (Guo et al. 2017).

    A discriminant of many dimensions is far surer than it is right.
    """
    trials = [_softmax(logits / np.float32(t)) for t in TEMPERATURES]
    own = [trial[np.arange(len(classes)), classes][trusted] for trial in trials]
    likelihoods = [float(np.log(part + 1e-9).mean()) for part in own]
    return trials[int(np.argmax(likelihoods))]


def _softmax(logits: Floats) -> Floats:
    raised: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    total: Floats = raised.sum(axis=1, keepdims=True)
    return np.asarray(raised / total)
