"""Figures, curves and the page of hand-made recordings."""

from html.parser import HTMLParser

import numpy as np
import pytest

from edgekws.runtime.evaluate import Truth
from edgekws.runtime.figures import clip_report
from edgekws.specs import TriggerSpec
from edgekws.tuning.curves import label_curve, trials
from edgekws.tuning.heard import Heard
from edgekws.tuning.page import Page, render
from edgekws.tuning.report import MISSED, UNSAID, Judged, judge, picture, promise
from tests.fakes import LABELS, RATE, small_model, trigger_spec

MODEL = small_model()
ROW = MODEL.samples_per_score
SECONDS = 360  # a tenth of an hour
TRIGGERS: dict[str, TriggerSpec] = {"loud": trigger_spec(), "dull": trigger_spec()}


def heard(
    *events: tuple[float, str, float],
    said: tuple[tuple[float, str], ...] = (),
    seconds: int = SECONDS,
) -> Heard:
    """Return a quiet recording with bumps of a height in the scores, one second long each."""
    scores = np.zeros((seconds * RATE // ROW, len(LABELS)), np.float32)
    for at, label, height in events:
        scores[int(at * RATE) // ROW : int((at + 1) * RATE) // ROW, LABELS.index(label)] = height
    places = (np.arange(len(scores), dtype=np.int64) + 1) * ROW
    truths = tuple(Truth(int(s * RATE), int((s + 1) * RATE), label) for s, label in said)
    return Heard(MODEL, scores, places, truths, 0, seconds * RATE)


MIXED = heard(
    (10, "loud", 0.9),
    (20, "dull", 0.9),  # where "loud" was said
    (40, "dull", 0.8),  # where nothing was said
    (50, "dull", 0.7),
    said=((10, "loud"), (20, "loud"), (30, "loud"), (50, "dull")),
)


def test_figures_are_counted_by_label_and_together() -> None:
    judged = judge([MIXED], TRIGGERS)
    assert judged.hours == pytest.approx(0.1)
    loud, dull = judged.by_label["loud"], judged.by_label["dull"]
    assert (loud.commands, loud.missed, loud.false_accepts) == (3, 2, 0)
    assert (dull.commands, dull.missed, dull.false_accepts) == (1, 0, 2)
    assert (judged.together.commands, judged.together.false_accepts) == (4, 2)
    assert judged.together.false_accepts_per_hour.value == pytest.approx(20)
    assert loud.miss_rate is not None
    assert loud.miss_rate.low < loud.miss_rate.value == 2 / 3 < loud.miss_rate.high


def test_confusions_tell_another_command_from_silence() -> None:
    table = judge([MIXED], TRIGGERS).confusion
    assert table["loud"] == {"loud": 1, "dull": 1, MISSED: 1}
    assert table["dull"] == {"loud": 0, "dull": 1, MISSED: 0}
    assert table[UNSAID] == {"loud": 0, "dull": 1, MISSED: 0}


def test_a_label_that_nobody_said_has_no_miss_rate() -> None:
    judged = judge([heard((10, "dull", 0.9))], TRIGGERS)
    assert judged.by_label["dull"].miss_rate is None
    assert judged.together.false_accepts == 1


def test_recordings_count_together() -> None:
    once, twice = judge([MIXED], TRIGGERS), judge([MIXED, MIXED], TRIGGERS)
    assert twice.hours == 2 * once.hours
    assert twice.together.commands == 2 * once.together.commands
    assert twice.confusion["loud"]["dull"] == 2


def test_a_curve_falls_in_false_accepts_and_rises_in_misses() -> None:
    curve = label_curve([MIXED], TRIGGERS, "dull")
    assert TRIGGERS["dull"].on in [point.on for point in curve]
    by_on = {point.on: point for point in curve}
    assert by_on[0.60].false_accepts_per_hour == pytest.approx(20)
    assert (by_on[0.75].miss_rate, by_on[0.60].miss_rate) == (1.0, 0.0)
    assert by_on[0.98].false_accepts_per_hour == 0
    misses = [point.miss_rate for point in curve]
    assert misses == sorted(misses)


@pytest.mark.parametrize("label", ["loud", "dull"])
def test_a_trials_score_is_the_threshold_at_which_it_would_just_fire(label: str) -> None:
    each = trials([MIXED], label, TRIGGERS[label])
    for score in {float(s) for s in each.said if s > 0.5}:
        for on, expected in ((score - 0.01, 1), (score + 0.01, 0)):
            spec = {**TRIGGERS, label: trigger_spec(on=on)}
            hits = MIXED.matches(spec).hits
            times = [t for _, t in hits if t.label == label]
            assert len(times) == expected


def test_seconds_outside_of_a_command_are_trials_too() -> None:
    each = trials([MIXED], "dull", TRIGGERS["dull"])
    assert len(each.said) == 1
    assert SECONDS - 3 <= len(each.unsaid) <= SECONDS
    assert (each.unsaid > 0.75).sum() == 4  # two bumps of a second, each on a border of two


@pytest.mark.parametrize(
    ("hours", "wrong", "budget", "words"),
    [
        (1, 0, 1.0, "too few hours to promise the budget of 1, which needs 3.0 hours"),
        (4, 0, 1.0, "within the budget of 1"),
        (1, 4, 1.0, "over the budget of 1"),
        (1, 1, 1.0, "too few hours to promise the budget of 1, which needs 5.6 hours"),
    ],
)
def test_a_budget_is_promised_only_where_the_hours_allow(
    hours: int, wrong: int, budget: float, words: str
) -> None:
    events = [(100.0 + 10 * n, "loud", 0.9) for n in range(wrong)]
    assert words in promise(judge([heard(*events, seconds=hours * 3600)], TRIGGERS), budget)


class Reader(HTMLParser):
    """Collects what the page shows, and checks that its tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page(judged: Judged, recordings: list[Heard], title: str = "lights 1") -> str:
    clips = clip_report(["loud", "dull", "loud"], ["loud", "dull", "dull"], LABELS)
    return render(
        Page(
            title,
            (("recordings", "1"),),
            TRIGGERS,
            judged,
            picture(recordings, TRIGGERS),
            1.0,
            clips,
        )
    )


def test_the_page_holds_its_figures_and_needs_nothing_else() -> None:
    text = page(judge([MIXED], TRIGGERS), [MIXED])
    read = Reader(text)
    assert read.open == []
    names = {value for name, value in read.attributes if name == "id"}
    assert names >= {"figures", "trade-off", "det", "stream-confusion", "clip-confusion"}
    assert names >= {f"{kind} {label}" for kind in ("trade-off", "scores") for label in TRIGGERS}
    assert read.tags.count("svg") == 2 + 2 * len(TRIGGERS)
    assert "script" not in read.tags
    assert not {"src", "href", "srcset"} & {name for name, _ in read.attributes}
    assert ("name", "viewport") in read.attributes
    assert "prefers-color-scheme:dark" in text
    assert "http" not in text
    assert "url(" not in text
    for words in ("66.7%", "20.8% to 93.9%", "20.00", "66.67% of 3 right", "over the budget of 1"):
        assert words in read.text


def test_places_of_a_picture_are_numbers_inside_of_it() -> None:
    read = Reader(page(judge([heard()], TRIGGERS), [heard()]))  # nothing said, nothing heard
    for name, value in read.attributes:
        if name in {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy"}:
            assert -1 <= float(value or "nan") <= 400


def test_names_are_text_and_nothing_more() -> None:
    read = Reader(page(judge([MIXED], TRIGGERS), [MIXED], title="<script>alert(1)</script> 开灯"))
    assert "script" not in read.tags
    assert "<script>alert(1)</script> 开灯" in read.text


def test_equal_figures_give_equal_pages() -> None:
    assert page(judge([MIXED], TRIGGERS), [MIXED]) == page(judge([MIXED], TRIGGERS), [MIXED])
