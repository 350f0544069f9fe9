"""What a detector heard: the rows of its trigger, at their places; and how it is cut in two."""

import numpy as np

from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import Truth, detect_all
from edgekws.tuning.heard import Heard, all_matches, hear
from tests.fakes import RATE, LoudnessEngine, bursts, small_model, trigger_spec

TRIGGERS = {"loud": trigger_spec(), "dull": trigger_spec()}
AUDIO = bursts(2.0, 5.0, 11.0, seconds=14.3)


def detector() -> Detector:
    return Detector(small_model(), LoudnessEngine(), TRIGGERS)


def heard(*starts: float) -> Heard:
    truths = [Truth(round(s * RATE), round((s + 0.5) * RATE), "loud") for s in starts]
    return hear(detector(), AUDIO, truths)


def test_the_triggers_of_the_device_find_the_same_in_what_was_heard() -> None:
    live = [(found.label, found.sample) for found in detect_all(detector(), AUDIO)]
    again = [(found.label, found.sample) for found in heard().detections(TRIGGERS)]
    assert len(live) == 3
    assert again == live


def test_other_thresholds_find_other_things() -> None:
    deaf = {"loud": trigger_spec(on=1.0, off=1.0), "dull": trigger_spec()}
    assert heard().detections(deaf) == []


def test_the_rows_near_a_label_give_all_of_its_detections() -> None:
    whole = heard(2.0, 5.0)
    near = whole.near("loud", TRIGGERS["loud"], least=0.5)
    assert 0 < len(near.places) < len(whole.places)
    assert near.hours == whole.hours
    assert near.matches(TRIGGERS) == whole.matches(TRIGGERS)
    assert not len(whole.near("dull", TRIGGERS["dull"], least=0.5).places)


def test_audio_is_counted_in_hours_to_its_end() -> None:
    assert heard().hours == len(AUDIO) / RATE / 3600


def test_two_parts_are_the_whole_and_share_nothing() -> None:
    whole = heard(2.0, 5.0, 11.0)
    first, second = whole.cut(7 * RATE)
    assert (len(first.truths), len(second.truths)) == (2, 1)
    assert first.hours + second.hours == whole.hours
    np.testing.assert_array_equal(np.concatenate((first.scores, second.scores)), whole.scores)
    assert first.places[-1] <= 7 * RATE < second.places[0]
    assert len(all_matches((first, second), TRIGGERS).hits) == 3


def test_the_middle_avoids_commands_and_the_second_after_them() -> None:
    half = len(AUDIO) // 2
    assert heard(2.0, 11.0).middle() == half
    assert heard(6.9).middle() == round(6.9 * RATE)
    assert heard(5.5, 6.9).middle() == round(8.4 * RATE)  # in 5.5 to 7.0 it would be inside


def test_a_recording_full_of_commands_has_no_middle() -> None:
    crowded = [Truth(second * RATE, (second + 1) * RATE, "loud") for second in range(15)]
    assert hear(detector(), AUDIO, crowded).middle() is None
