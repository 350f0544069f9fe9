"""Confident learning on posteriors that can be checked by hand, and on clouds with wrong labels."""

import numpy as np
import pytest

from edgekws.events import Floats
from edgekws.train.suspects import FEWEST, confident_others, find_suspects


def test_who_is_surer_of_another_class_than_that_class_itself_is_a_suspect() -> None:
    posteriors = np.array(
        [
            [0.9, 0.1],  # class 0: its mean self-confidence is 0.6
            [0.8, 0.2],
            [0.1, 0.9],  # at or above the 0.75 of class 1: a suspect
            [0.6, 0.4],
            [0.1, 0.9],  # class 1
            [0.4, 0.6],  # less sure of 0 than 0.6: none
        ],
        np.float32,
    )
    classes = np.array([0, 0, 0, 0, 1, 1], np.int64)
    ((row, other, margin),) = confident_others(posteriors, classes)
    assert (row, other) == (2, 1)
    assert margin == pytest.approx(0.8)


def clouds(count: int, *, seed: int) -> tuple[Floats, np.ndarray]:
    """Return (3 * count, 8) embeddings of three classes far apart, and their classes."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), count)
    centres = 4 * rng.standard_normal((3, 8))
    return (centres[classes] + rng.standard_normal((3 * count, 8))).astype(np.float32), classes


def test_planted_labels_are_found_surest_first_and_no_others() -> None:
    embeddings, classes = clouds(40, seed=1)
    labels = classes.copy()
    planted = {3: 2, 50: 0, 90: 1}
    labels[list(planted)] = list(planted.values())
    found = find_suspects(embeddings, labels, [f"s{n % 15}" for n in range(len(labels))])
    assert {s.index: s.other for s in found} == {n: int(classes[n]) for n in planted}
    assert [s.margin for s in found] == sorted((s.margin for s in found), reverse=True)


def test_labels_of_few_recordings_are_left_out() -> None:
    embeddings, classes = clouds(FEWEST - 1, seed=2)
    assert find_suspects(embeddings, classes, ["a"] * len(classes)) == []


def test_one_speaker_for_all_and_one_per_label_work() -> None:
    embeddings, classes = clouds(20, seed=3)
    for groups in (["me"] * len(classes), [f"who{label}" for label in classes]):
        assert find_suspects(embeddings, classes, groups) == []
