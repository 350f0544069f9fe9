"""Figures against hand-made cases."""

import numpy as np
import pytest

from edgekws.events import Detection
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import (
    Matches,
    Truth,
    classify_clip,
    evaluate_clips,
    evaluate_stream,
    match_detections,
    stream_report,
)
from edgekws.runtime.figures import clip_report
from edgekws.specs import SILENCE
from tests.fakes import LABELS, RATE, LoudnessEngine, bursts, small_model, trigger_spec

SPOKEN = {"ja": "de", "nein": "de", "oui": "fr", "non": "fr"}


def found(label: str, seconds: float) -> Detection:
    return Detection(1, label, 0.9, round(seconds * RATE), seconds)


def truth(label: str, start: float, end: float) -> Truth:
    return Truth(round(start * RATE), round(end * RATE), label)


def matches(detections: list[Detection], truths: list[Truth], *, tolerance: float = 1.0) -> Matches:
    return match_detections(detections, truths, tolerance_samples=round(tolerance * RATE))


def detector() -> Detector:
    specs = {"loud": trigger_spec(), "dull": trigger_spec()}
    return Detector(small_model(), LoudnessEngine(), specs)


@pytest.mark.parametrize("seconds", [1.0, 1.5, 2.0, 3.0])
def test_a_detection_from_start_to_end_plus_tolerance_is_a_hit(seconds: float) -> None:
    result = matches([found("go", seconds)], [truth("go", 1.0, 2.0)])
    assert len(result.hits) == 1
    assert not result.missed
    assert not result.false_accepts


@pytest.mark.parametrize("seconds", [0.99, 3.01])
def test_a_detection_outside_is_a_false_accept_and_the_command_missed(seconds: float) -> None:
    result = matches([found("go", seconds)], [truth("go", 1.0, 2.0)])
    assert not result.hits
    assert len(result.missed) == 1
    assert len(result.false_accepts) == 1


def test_another_label_is_a_false_accept() -> None:
    result = matches([found("stop", 1.5)], [truth("go", 1.0, 2.0)])
    assert len(result.missed) == 1
    assert [d.label for d in result.false_accepts] == ["stop"]


def test_a_second_detection_in_the_window_is_a_duplicate_not_a_false_accept() -> None:
    result = matches([found("go", 1.5), found("go", 2.9)], [truth("go", 1.0, 2.0)])
    assert len(result.hits) == 1
    assert len(result.duplicates) == 1
    assert not result.false_accepts


def test_overlapping_windows_are_each_matched_once() -> None:
    truths = [truth("go", 2.0, 2.5), truth("go", 1.0, 1.5)]
    result = matches([found("go", 2.1), found("go", 2.6)], truths)
    assert [t.start for _, t in result.hits] == [RATE, 2 * RATE]
    assert not result.missed
    assert not result.duplicates


def test_nothing_heard_misses_everything_and_nothing_said_accepts_nothing() -> None:
    assert len(matches([], [truth("go", 0, 1)]).missed) == 1
    assert matches([], []) == matches([], [], tolerance=0)
    assert len(matches([found("go", 1)], []).false_accepts) == 1


def test_stream_figures_are_rates_over_the_hours_of_audio() -> None:
    truths = [truth("go", 1, 2), truth("go", 11, 12), truth("stop", 20, 21)]
    heard = [found("go", 2.5), found("stop", 20.8), found("stop", 30), found("go", 40)]
    report = stream_report(matches(heard, truths), samples=1800 * RATE, sample_rate=RATE)
    assert report.miss_rate == {"go": 0.5, "stop": 0.0}
    assert (report.hours, report.false_accepts_per_hour) == (0.5, 4.0)
    assert report.false_accepts == {"go": 1, "stop": 1}
    assert report.commands == {"go": 2, "stop": 1}
    assert report.detections == 4
    assert report.delay_seconds.p50 == pytest.approx(0.15)
    assert report.delay_seconds.p95 == pytest.approx(0.465)


def test_a_stream_without_hits_has_no_delay() -> None:
    report = stream_report(matches([], []), samples=RATE, sample_rate=RATE)
    assert (report.delay_seconds.p50, report.delay_seconds.p95) == (None, None)


def test_a_stream_is_judged_by_its_detections() -> None:
    audio = bursts(2.0, 6.0, seconds=9.0)
    report = evaluate_stream(detector(), audio, [truth("loud", 2.0, 2.5), truth("dull", 8.0, 8.5)])
    assert report.miss_rate == {"dull": 1.0, "loud": 0.0}
    assert report.false_accepts == {"loud": 1}
    assert -0.5 < (report.delay_seconds.p50 or 9) < 0.5


def test_clip_figures_agree_with_figures_worked_out_by_hand() -> None:
    truths = ["a", "a", "a", "b", "b", "c"]
    answers = ["a", "a", "b", "b", "a", "b"]
    report = clip_report(truths, answers, ("a", "b", "c", "d"))
    assert report.accuracy == 3 / 6
    assert report.clips == 6
    assert report.per_label["a"].precision == pytest.approx(2 / 3)
    assert report.per_label["b"].precision == pytest.approx(1 / 3)
    assert report.per_label["b"].recall == pytest.approx(1 / 2)
    assert (report.per_label["c"].f1, report.per_label["d"].clips) == (0.0, 0)
    assert report.macro_f1 == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)  # d is in neither
    assert report.confusion["a"] == {"a": 2, "b": 1, "c": 0, "d": 0}


def test_languages_have_the_mean_recall_of_their_commands() -> None:
    truths = ["ja"] * 4 + ["nein"] + ["oui"] * 2 + ["_unknown_"]
    answers = ["ja", "ja", "ja", "nein", "nein", "oui", "ja", "oui"]
    labels = ("_unknown_", "ja", "nein", "oui", "non")
    report = clip_report(truths, answers, labels, language_of=lambda label: SPOKEN[label])
    german, french = report.per_language["de"], report.per_language["fr"]
    assert (german.labels, german.clips) == (("ja", "nein"), 5)
    assert german.recall == pytest.approx((3 / 4 + 1) / 2)
    assert (french.labels, french.clips) == (("oui",), 2)  # nobody said non: it counts for nothing
    assert french.recall == pytest.approx(1 / 2)


def test_one_language_is_not_told_apart() -> None:
    report = clip_report(["ja"], ["ja"], ("ja", "oui"), language_of=lambda label: SPOKEN[label])
    assert report.per_language == {}
    assert clip_report(["ja", "oui"], ["ja", "ja"], ("ja", "oui")).per_language == {}


def test_clip_figures_of_nothing_are_zero() -> None:
    report = clip_report([], [], ("a", "b"))
    assert (report.accuracy, report.macro_f1, report.clips) == (0.0, 0.0, 0)


def test_a_clip_is_classified_by_its_surest_full_row() -> None:
    loud = classify_clip(detector(), bursts(1.0, seconds=2.0, length=1.0))
    assert loud.label == "loud"
    assert loud.score > 0.9
    assert set(loud.scores) == set(LABELS)
    assert sum(loud.scores.values()) == pytest.approx(1.0)


def test_a_clip_shorter_than_the_window_is_padded_around() -> None:
    seconds = 1000 / RATE
    short = bursts(0.0, seconds=seconds, length=seconds)
    assert classify_clip(detector(), short).label in {"loud", SILENCE}
    assert classify_clip(detector(), short[:1]).label == SILENCE


def test_foreign_labels_count_as_unknown() -> None:
    quiet, loud = bursts(seconds=1.0), bursts(0.0, seconds=1.0, length=1.0)
    report = evaluate_clips(
        detector(), [("loud", loud), (SILENCE, quiet), ("cat", loud), ("dog", loud)]
    )
    assert report.accuracy == 0.5
    assert report.confusion["_unknown_"]["loud"] == 2


def test_evaluation_does_not_depend_on_what_came_before() -> None:
    target, audio = detector(), bursts(1.0, seconds=2.0)
    fresh = classify_clip(detector(), audio)
    classify_clip(target, bursts(0.0, seconds=3.0, length=3.0))
    again = classify_clip(target, audio)
    np.testing.assert_allclose(again.score, fresh.score, atol=1e-6)
