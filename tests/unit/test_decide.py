"""Rules on what is done about a command: a clock of samples, and a watch on the wall."""

import re
from collections.abc import Callable
from datetime import time
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.errors import ConfigError
from edgekws.events import Detection
from edgekws.runtime.config import decode_config
from edgekws.runtime.decide import Decider, Rule, parse_span
from edgekws.runtime.fitting import check_labels

RATE: Final = 16_000
NOON: Final = time(12, 0)

Said = tuple[float, str]


def rulings(
    rules: dict[str, Rule], *said: Said, clock: Callable[[], time] = lambda: NOON
) -> list[tuple[int, str]]:
    """Return id and verdict of each ruling; ids count from 1 in the order of what was said."""
    decider = Decider(rules, sample_rate=RATE, clock=clock)
    ids = count(1)
    out = []
    for seconds, label in said:
        sample = round(seconds * RATE)
        heard = Detection(next(ids), label, 0.9, sample, seconds)
        out += decider.judge([heard], sample + 100)
    out += decider.judge([], round(said[-1][0] * RATE) + 3_600 * RATE)
    return [(ruling.detection.id, ruling.verdict) for ruling in out]


def reasons(rules: dict[str, Rule], *said: Said) -> list[str]:
    decider = Decider(rules, sample_rate=RATE, clock=lambda: NOON)
    out = []
    for number, (seconds, label) in enumerate(said, 1):
        sample = round(seconds * RATE)
        out += decider.judge([Detection(number, label, 0.9, sample, seconds)], sample)
    return [ruling.reason for ruling in out]


def test_without_a_rule_each_command_is_acted_upon() -> None:
    assert rulings({}, (1, "on"), (1.1, "on"), (2, "off")) == [(1, "act"), (2, "act"), (3, "act")]


@pytest.mark.parametrize(("gap", "verdict"), [(2.0, "act"), (5.0, "act"), (5.01, "hold")])
def test_a_command_needs_its_wake_word_within_the_window(gap: float, verdict: str) -> None:
    rules = {"on": Rule(after="computer", within_seconds=5.0)}
    assert rulings(rules, (1, "computer"), (1 + gap, "on")) == [(1, "act"), (2, verdict)]


def test_without_its_wake_word_a_command_is_held_and_the_reason_told() -> None:
    rules = {"on": Rule(after="computer", within_seconds=5.0)}
    assert reasons(rules, (1, "on")) == ['no "computer" within 5 s before']


def test_a_wake_word_is_for_one_command() -> None:
    rules = {"*": Rule(after="computer")}
    said = ((1.0, "computer"), (2.0, "on"), (3.0, "on"), (4.0, "computer"), (5.0, "off"))
    verdicts = [verdict for _, verdict in rulings(rules, *said)]
    assert verdicts == ["act", "act", "hold", "act", "act"]


def test_a_rule_of_its_own_goes_before_that_for_all() -> None:
    rules = {"*": Rule(after="computer"), "stop": Rule()}
    assert rulings(rules, (1, "stop"), (2, "on")) == [(1, "act"), (2, "hold")]


def test_a_sequence_needs_all_in_their_order() -> None:
    rules = {"open": Rule(after=("computer", "door"), within_seconds=2.0)}
    right = ((1.0, "computer"), (2.0, "door"), (3.0, "open"))
    wrong = ((1.0, "door"), (2.0, "computer"), (3.0, "open"))
    between = ((1.0, "computer"), (1.5, "door"), (2.0, "light"), (3.0, "open"))
    late = ((1.0, "computer"), (4.0, "door"), (5.0, "open"))
    assert rulings(rules, *right)[-1] == (3, "act")
    assert rulings(rules, *wrong)[-1] == (3, "hold")
    assert rulings(rules, *between)[-1] == (4, "hold")
    assert rulings(rules, *late)[-1] == (3, "hold")


def test_what_was_held_does_not_come_between() -> None:
    rules = {
        "on": Rule(after="computer"),
        "never": Rule(quiet="00:00-23:59"),
    }
    assert rulings(rules, (1, "computer"), (2, "never"), (3, "on"))[-1] == (3, "act")


@pytest.mark.parametrize(("again", "verdict"), [(3.0, "hold"), (10.9, "hold"), (11.0, "act")])
def test_a_command_cools_down_from_when_it_was_acted_upon(again: float, verdict: str) -> None:
    rules = {"on": Rule(cooldown_seconds=10.0)}
    assert rulings(rules, (1.0, "on"), (again, "on"), (again, "off")) == [
        (1, "act"),
        (2, verdict),
        (3, "act"),
    ]


def test_a_command_that_was_held_does_not_cool_down() -> None:
    rules = {"on": Rule(after="computer", cooldown_seconds=10.0)}
    assert rulings(rules, (1, "on"), (2, "computer"), (3, "on"))[-1] == (3, "act")


def test_a_dangerous_command_is_acted_upon_when_said_again() -> None:
    rules = {"open": Rule(confirm=True, confirm_seconds=4.0)}
    assert rulings(rules, (1, "open"), (4, "open")) == [(1, "wait"), (2, "act")]
    assert reasons(rules, (1, "open")) == ['say "open" within 4 s']


def test_a_confirmation_that_comes_too_late_begins_anew() -> None:
    rules = {"open": Rule(confirm=True, confirm_seconds=4.0)}
    assert rulings(rules, (1, "open"), (6, "open")) == [
        (1, "wait"),
        (1, "hold"),
        (2, "wait"),
        (2, "hold"),
    ]


def test_another_command_may_confirm() -> None:
    rules = {"open": Rule(confirm="yes", confirm_seconds=4.0)}
    assert rulings(rules, (1, "open"), (3, "yes")) == [(1, "wait"), (1, "act"), (2, "act")]
    assert rulings(rules, (1, "open"), (6, "yes")) == [(1, "wait"), (1, "hold"), (2, "act")]
    assert rulings(rules, (1, "open"), (2, "open"), (3, "yes"))[-2:] == [(2, "act"), (3, "act")]


def test_a_different_command_takes_back_what_waits() -> None:
    rules = {"open": Rule(confirm=True)}
    said = ((1.0, "open"), (2.0, "light"), (3.0, "open"))
    assert rulings(rules, *said)[:4] == [(1, "wait"), (1, "hold"), (2, "act"), (3, "wait")]


def test_the_wake_word_may_come_again_before_the_confirmation() -> None:
    rules = {"open": Rule(after="computer", confirm=True)}
    said = ((1.0, "computer"), (2.0, "open"), (3.0, "computer"), (4.0, "open"))
    assert [verdict for _, verdict in rulings(rules, *said)] == ["act", "wait", "act", "act"]


@pytest.mark.parametrize(
    ("span", "now", "verdict"),
    [
        ("22:00-07:00", time(23, 0), "hold"),
        ("22:00-07:00", time(6, 59), "hold"),
        ("22:00-07:00", time(7, 0), "act"),
        ("22:00-07:00", time(21, 59), "act"),
        ("12:00-13:30", time(12, 0), "hold"),
        ("12:00-13:30", time(13, 30), "act"),
    ],
)
def test_quiet_hours_are_those_of_the_room(span: str, now: time, verdict: str) -> None:
    assert rulings({"on": Rule(quiet=span)}, (1, "on"), clock=lambda: now) == [(1, verdict)]


def test_a_decider_goes_on_where_another_one_ends() -> None:
    rules = {
        "open": Rule(confirm="yes", confirm_seconds=4.0),
        "on": Rule(after="computer", cooldown_seconds=10.0),
    }
    said = ((1.0, "computer"), (2.0, "on"), (3.0, "computer"), (4.0, "open"), (5.0, "yes"))
    whole = [*said, (6.0, "on")]
    for cut in range(len(whole)):
        first, second = (Decider(rules, sample_rate=RATE, clock=lambda: NOON) for _ in range(2))
        out = []
        for number, (seconds, label) in enumerate(whole, 1):
            if number - 1 == cut:
                second.succeed(first)
            one = first if number - 1 < cut else second
            sample = round(seconds * RATE)
            out += one.judge([Detection(number, label, 0.9, sample, seconds)], sample)
        assert [ruling.reason for ruling in out] == reasons(rules, *whole)


def test_a_stream_that_begins_anew_is_a_clean_slate() -> None:
    decider = Decider({"on": Rule(after="computer")}, sample_rate=RATE, clock=lambda: NOON)
    decider.judge([Detection(1, "computer", 0.9, 90_000, 5.6)], 90_000)
    (ruling,) = decider.judge([Detection(2, "on", 0.9, 10_000, 0.6)], 10_000)
    assert ruling.verdict == "hold"


LABELS: Final = ("computer", "on", "off", "open", "yes")


@settings(max_examples=40)  # they cost 40 ms each
@given(
    st.lists(st.tuples(st.integers(1, 80_000), st.sampled_from(LABELS)), max_size=30),
    st.integers(1_000, 40_000),
)
def test_blocks_of_any_length_give_the_same_rulings(
    steps: list[tuple[int, str]], block: int
) -> None:
    """All but the moment at which one is told that nothing came in time."""
    rules = {
        "*": Rule(after="computer", within_seconds=3.0, cooldown_seconds=1.0),
        "open": Rule(after="computer", confirm="yes", confirm_seconds=4.0),
        "yes": Rule(),
    }
    detections, sample = [], 0
    for number, (step, label) in enumerate(steps, 1):
        sample += step
        detections.append(Detection(number, label, 0.9, sample, sample / RATE))
    at_once = Decider(rules, sample_rate=RATE, clock=lambda: NOON).judge(detections, sample)
    pieces = Decider(rules, sample_rate=RATE, clock=lambda: NOON)
    bit_by_bit = []
    for end in range(block, sample + block, block):
        heard = [d for d in detections if end - block < d.sample <= end]
        bit_by_bit += pieces.judge(heard, min(end, sample))
    assert bit_by_bit == at_once


@pytest.mark.parametrize("text", ["", "22:00", "22:00-25:00", "22:00-07:00-09:00", "night"])
def test_a_span_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'quiet: "{text}" is no span')):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules.on]\nafter = 3", 'listen.toml:2: rules."on".after: expected'),
        ("[rules.on]\nwithin_seconds = 0", 'listen.toml:1: rules."on": need 0 < within_seconds'),
        ("[rules.on]\ncooldown_seconds = -1", 'rules."on": need 0 <= cooldown_seconds <= 86400'),
        ("[rules.on]\nconfirm_seconds = nan", 'rules."on": need 0 < confirm_seconds'),
        ('[rules.on]\nquiet = "night"', 'rules."on": quiet: "night" is no span'),
        ("[rules.on]\nafters = 1", 'rules."on": table contains unknown field afters; it takes: '),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        decode_config(text, where=Path("listen.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules.of]", 'rules."of": the bundle has no command "of"'),
        (
            '[rules."*"]\nafter = "computre"',
            'rules."*".after: the bundle has no command "computre"',
        ),
        ('[rules.on]\nconfirm = "yess"', 'rules."on".confirm: the bundle has no command "yess"'),
    ],
)
def test_a_rule_about_what_the_bundle_lacks_is_named(text: str, message: str) -> None:
    config = decode_config(text, where=Path("listen.toml"))
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_labels(config, LABELS)
