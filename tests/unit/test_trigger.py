"""The trigger reads as its TriggerSpec says, for any posteriors and any portions of rows."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.events import Detection, Floats
from edgekws.runtime.trigger import Trigger
from edgekws.specs import TriggerSpec
from tests.fakes import LABELS, RATE, small_model, trigger_spec

MODEL = small_model()
APART = MODEL.samples_per_score  # 640 samples between rows
COMMANDS = {"loud": LABELS.index("loud"), "dull": LABELS.index("dull")}


def rows_of(**posteriors: list[float]) -> Floats:
    """Return (rows, n_labels) with the given posteriors, 0 for the other labels."""
    scores = np.zeros((max(map(len, posteriors.values())), len(LABELS)), np.float32)
    for label, values in posteriors.items():
        scores[: len(values), COMMANDS[label]] = values
    return scores


def ends_of(scores: Floats) -> list[int]:
    return [(row + 1) * APART for row in range(len(scores))]


def run(scores: Floats, **specs: TriggerSpec) -> list[Detection]:
    trigger = Trigger(MODEL, {"loud": trigger_spec(), "dull": trigger_spec()} | specs)
    return trigger.push(scores, ends_of(scores))


def rows_hit(detections: list[Detection]) -> list[int]:
    return [detection.sample // APART - 1 for detection in detections]


def one_row(*, consecutive: int = 1, refractory_rows: int = 0, mean_rows: int = 1) -> TriggerSpec:
    return trigger_spec(
        consecutive=consecutive,
        refractory_samples=refractory_rows * APART,
        mean_samples=mean_rows * APART,
    )


def test_a_detection_names_label_score_sample_and_time() -> None:
    (found,) = run(rows_of(loud=[0, 0.75, 0.75]), loud=one_row())
    assert found == Detection(1, "loud", 0.75, 2 * APART, 2 * APART / RATE)


def test_the_mean_covers_mean_samples_and_starts_from_zero() -> None:
    detections = run(rows_of(loud=[1.0] * 6), loud=one_row(mean_rows=4))
    assert rows_hit(detections) == [2]  # means 0.25, 0.5, 0.75 against 0.6
    assert detections[0].score == pytest.approx(0.75)


def test_mean_samples_below_a_row_mean_one_row() -> None:
    assert rows_hit(
        run(rows_of(loud=[0, 0.9]), loud=trigger_spec(mean_samples=1, consecutive=1))
    ) == [1]


def test_consecutive_rows_have_to_be_unbroken() -> None:
    rows = rows_of(loud=[0.9, 0.9, 0.5, 0.9, 0.9, 0.9])
    assert rows_hit(run(rows, loud=one_row(consecutive=3))) == [5]


def test_a_label_fires_again_only_after_falling_below_off() -> None:
    held = rows_of(loud=[0.9] * 10)
    wavering = rows_of(loud=[0.9, 0.5, 0.9, 0.5, 0.9])
    fallen = rows_of(loud=[0.9, 0.3, 0.9])
    assert rows_hit(run(held, loud=one_row())) == [0]
    assert rows_hit(run(wavering, loud=one_row())) == [0]
    assert rows_hit(run(fallen, loud=one_row())) == [0, 2]


def test_a_label_fires_again_only_after_the_refractory_time() -> None:
    rows = rows_of(loud=[0.9, 0.1] * 4)
    assert rows_hit(run(rows, loud=one_row(refractory_rows=4))) == [0, 4]
    assert rows_hit(run(rows, loud=one_row(refractory_rows=5))) == [0, 6]


def test_a_score_held_through_the_refractory_time_does_not_fire() -> None:
    rows = rows_of(loud=[0.9] * 8 + [0.1, 0.9])
    assert rows_hit(run(rows, loud=one_row(refractory_rows=3))) == [0, 9]


def test_of_two_labels_in_one_row_the_higher_mean_wins_and_silences_the_other() -> None:
    rows = rows_of(loud=[0.7, 0.1, 0.7, 0.1, 0.7], dull=[0.8])
    detections = run(rows, loud=one_row(refractory_rows=4), dull=one_row(refractory_rows=4))
    assert [found.label for found in detections] == ["dull", "loud"]
    assert rows_hit(detections) == [0, 4]


def test_labels_have_their_own_values() -> None:
    rows = rows_of(loud=[0.7, 0, 0], dull=[0, 0, 0.7])
    strict = trigger_spec(on=0.9, mean_samples=1, consecutive=1)
    assert [d.label for d in run(rows, loud=strict, dull=one_row())] == ["dull"]


def test_reserved_labels_never_fire() -> None:
    scores = np.zeros((20, len(LABELS)), np.float32)
    scores[:, :2] = 1.0
    assert run(scores, loud=one_row(), dull=one_row()) == []


def test_ids_count_on_through_a_reset() -> None:
    trigger = Trigger(MODEL, {"loud": one_row(), "dull": one_row()})
    rows = rows_of(loud=[0.9])
    first = trigger.push(rows, [APART])
    trigger.reset()
    assert [found.id for found in first + trigger.push(rows, [2 * APART])] == [1, 2]


posteriors = st.lists(
    st.tuples(*[st.sampled_from([0.0, 0.1, 0.39, 0.41, 0.5, 0.59, 0.61, 0.9, 1.0])] * 2),
    min_size=1,
    max_size=60,
)
spec_values = st.builds(
    trigger_spec,
    on=st.sampled_from([0.5, 0.6, 1.0]),
    off=st.sampled_from([0.2, 0.4, 0.5]),
    mean_samples=st.integers(1, 6 * APART),
    consecutive=st.integers(1, 4),
    refractory_samples=st.integers(0, 12 * APART),
)


def scores_of(pairs: list[tuple[float, float]]) -> Floats:
    return rows_of(loud=[pair[0] for pair in pairs], dull=[pair[1] for pair in pairs])


@given(posteriors, spec_values, spec_values)
def test_one_label_is_never_detected_twice_within_its_refractory_time(
    pairs: list[tuple[float, float]], loud: TriggerSpec, dull: TriggerSpec
) -> None:
    detections = run(scores_of(pairs), loud=loud, dull=dull)
    for label, spec in (("loud", loud), ("dull", dull)):
        samples = [found.sample for found in detections if found.label == label]
        assert all(np.diff(samples) >= spec.refractory_samples)


@given(posteriors, spec_values)
def test_every_detection_has_its_mean_at_or_above_on(
    pairs: list[tuple[float, float]], spec: TriggerSpec
) -> None:
    scores, rows = scores_of(pairs), max(1, spec.mean_samples // APART)
    for found in run(scores, loud=spec, dull=spec):
        row = found.sample // APART
        newest = scores[max(0, row - rows) : row, COMMANDS[found.label]]
        assert newest.sum() / rows >= spec.on - 1e-6  # float32 sums of up to six values
        assert found.score == pytest.approx(newest.sum() / rows, abs=1e-6)


@given(posteriors, spec_values, st.lists(st.integers(0, 7), max_size=40))
def test_the_portions_of_rows_do_not_matter(
    pairs: list[tuple[float, float]], spec: TriggerSpec, portions: list[int]
) -> None:
    scores = scores_of(pairs)
    ends = ends_of(scores)
    trigger = Trigger(MODEL, {"loud": spec, "dull": spec})
    cuts = np.minimum(np.cumsum([0, *portions, len(scores)]), len(scores))
    parts = [
        found
        for start, stop in itertools.pairwise(cuts)
        for found in trigger.push(scores[start:stop], ends[start:stop])
    ]
    assert parts == run(scores, loud=spec, dull=spec)


@given(posteriors, posteriors, spec_values)
def test_reset_forgets_all_but_the_ids(
    before: list[tuple[float, float]], after: list[tuple[float, float]], spec: TriggerSpec
) -> None:
    trigger = Trigger(MODEL, {"loud": spec, "dull": spec})
    trigger.push(scores_of(before), ends_of(scores_of(before)))
    trigger.reset()
    again = trigger.push(scores_of(after), ends_of(scores_of(after)))
    fresh = run(scores_of(after), loud=spec, dull=spec)
    assert [(d.label, d.score, d.sample) for d in again] == [
        (d.label, d.score, d.sample) for d in fresh
    ]


@given(posteriors, spec_values)
def test_nothing_below_the_threshold_is_ever_detected(
    pairs: list[tuple[float, float]], spec: TriggerSpec
) -> None:
    quiet = scores_of(pairs) * np.float32(spec.on * 0.999)
    assert run(quiet, loud=spec, dull=spec) == []
