"""Whether a command that was heard is acted upon: rules of listen.toml, whose clock is samples.

The one exception is quiet hours, which are the room's: their clock is given from outside.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from typing import Final

import msgspec

from edgekws.dispatch.commands import EVERY_LABEL
from edgekws.events import Detection, Verdict
from edgekws.specs import Spec

MAX_SECONDS: Final = 86_400.0
_REMEMBERED: Final = 16  # commands; a longer sequence nobody would say
_SPAN: Final = r"(?P<begin>\d\d:\d\d)\s*-\s*(?P<end>\d\d:\d\d)"  # compiled where there is one


class Rule(Spec, frozen=True):
    """[rules.LABEL]: what has to be so before the command is acted upon.

    `after` is the command, or the sequence of commands, that has to come before, each within
    `within_seconds` of the next. `confirm` is true for saying it again, or the command that
    confirms, within `confirm_seconds`. `quiet` are spans such as "22:00-07:00" of local time.
    """

    after: str | tuple[str, ...] = ()
    within_seconds: float = 5.0
    cooldown_seconds: float = 0.0
    confirm: bool | str = False
    confirm_seconds: float = 5.0
    quiet: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("within_seconds", "confirm_seconds"):
            if not 0 < getattr(self, name) <= MAX_SECONDS:
                raise ValueError(f"need 0 < {name} <= {MAX_SECONDS:g}")
        if not 0 <= self.cooldown_seconds <= MAX_SECONDS:
            raise ValueError(f"need 0 <= cooldown_seconds <= {MAX_SECONDS:g}")
        if len(self.sequence) > _REMEMBERED:
            raise ValueError(f"after takes at most {_REMEMBERED} commands")
        for span in _listed(self.quiet):
            parse_span(span)

    @property
    def sequence(self) -> tuple[str, ...]:
        """The commands that have to come before, in their order."""
        return _listed(self.after)

    @property
    def spans(self) -> tuple["Span", ...]:
        """The quiet hours."""
        return tuple(parse_span(text) for text in _listed(self.quiet))

    @property
    def named(self) -> tuple[str, ...]:
        """Every label that the rule names."""
        confirming = (self.confirm,) if isinstance(self.confirm, str) else ()
        return (*self.sequence, *confirming)


class Span(msgspec.Struct, frozen=True):
    """Hours of a day; one that ends before it begins goes over midnight."""

    begin: time
    end: time

    def holds(self, now: time) -> bool:
        """Return whether a time lies in it; the end does not."""
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


class Ruling(msgspec.Struct, frozen=True):
    """What is done about a detection, and why in words."""

    detection: Detection
    verdict: Verdict
    reason: str = ""


class _Waiting(msgspec.Struct, frozen=True):
    """A command that waits to be confirmed until a sample index."""

    detection: Detection
    until: float
    by: str


class Decider:
    """Judges detections in their order; the same detections give the same rulings, but for hours.

    A command for which there is no rule is acted upon. Where the samples go back, the stream began
    anew and all that came before is forgotten.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        sample_rate: int,
        clock: Callable[[], time],
    ) -> None:
        """Take the rules by label; EVERY_LABEL stands for labels without one of their own."""
        self._rules, self._rate, self._clock = rules, sample_rate, clock
        every = rules.get(EVERY_LABEL)
        self._exempt = frozenset(() if every is None else every.named)
        self._leading = frozenset(label for rule in rules.values() for label in rule.named)
        self._now = 0
        self._forget()

    def judge(self, detections: Sequence[Detection], now: int) -> list[Ruling]:
        """Return rulings on the detections of a block that ends at a sample index.

        One for each detection, and one for each earlier command that is confirmed now, or whose
        time to be confirmed is over.
        """
        if now < self._now:
            self._forget()
        self._now = now
        if not detections and not self._waiting:  # as nearly every block has it
            return []
        rulings: list[Ruling] = []
        for detection in detections:
            rulings += self._expired(detection.sample)
            rulings += self._judge(detection)
        return rulings + self._expired(now)

    def succeed(self, other: "Decider") -> None:
        """Go on where another decider ends: with what was said, acted upon, asked to be confirmed.

        A command that waits goes on waiting for what the person was told to say.
        """
        self._now = other._now
        self._history.extend(other._history)
        self._acted.update(other._acted)
        self._waiting.update(other._waiting)

    def _forget(self) -> None:
        self._history: deque[Detection] = deque(maxlen=_REMEMBERED)
        self._acted: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}

    def _rule(self, label: str) -> Rule:
        if label in self._rules:
            return self._rules[label]
        return Rule() if label in self._exempt else self._rules.get(EVERY_LABEL, Rule())

    def _judge(self, detection: Detection) -> list[Ruling]:
        label, rule = detection.label, self._rule(detection.label)
        if self._is_quiet(rule):
            return [Ruling(detection, "hold", "quiet hours")]
        if (left := self._cooling_seconds(detection, rule)) > 0:
            return [Ruling(detection, "hold", f"cools down for {left:.1f} s more")]
        if label in self._waiting and self._waiting[label].by == label:
            del self._waiting[label]
            return [self._act(detection, f'"{label}" was said again')]
        if missing := self._missing(detection, rule):
            return [Ruling(detection, "hold", missing)]
        return [*self._settled(detection), self._ask_or_act(detection, rule)]

    def _ask_or_act(self, detection: Detection, rule: Rule) -> Ruling:
        if rule.confirm is False:
            return self._act(detection)
        by = detection.label if rule.confirm is True else rule.confirm
        until = detection.sample + rule.confirm_seconds * self._rate
        self._waiting[detection.label] = _Waiting(detection, until, by)
        self._history.clear()
        return Ruling(detection, "wait", f'say "{by}" within {rule.confirm_seconds:g} s')

    def _act(self, detection: Detection, reason: str = "") -> Ruling:
        self._acted[detection.label] = detection.sample
        if self._rule(detection.label).sequence:
            self._history.clear()  # what led to it is used up
        self._history.append(detection)
        return Ruling(detection, "act", reason)

    def _settled(self, detection: Detection) -> list[Ruling]:
        """Return rulings on the commands that this one confirms, or comes in the way of."""
        rulings: list[Ruling] = []
        for label, waiting in tuple(self._waiting.items()):
            if waiting.by == detection.label:
                del self._waiting[label]
                rulings.append(self._act(waiting.detection, f'confirmed by "{detection.label}"'))
            elif detection.label not in self._leading:
                del self._waiting[label]
                reason = f'"{detection.label}" came before "{waiting.by}"'
                rulings.append(Ruling(waiting.detection, "hold", reason))
        return rulings

    def _expired(self, now: int) -> list[Ruling]:
        over = [each for each in self._waiting.values() if now > each.until]
        for each in over:
            del self._waiting[each.detection.label]
        return [Ruling(each.detection, "hold", f'no "{each.by}" came in time') for each in over]

    def _is_quiet(self, rule: Rule) -> bool:
        spans = rule.spans
        return bool(spans) and any(span.holds(self._clock()) for span in spans)

    def _cooling_seconds(self, detection: Detection, rule: Rule) -> float:
        acted = self._acted.get(detection.label)
        if acted is None or not rule.cooldown_seconds:
            return 0.0
        return rule.cooldown_seconds - (detection.sample - acted) / self._rate

    def _missing(self, detection: Detection, rule: Rule) -> str:
        """Return what should have come before and did not, "" where all did."""
        before, window = detection.sample, rule.within_seconds * self._rate
        heard = reversed(self._history)
        for label in reversed(rule.sequence):
            last = next(heard, None)
            if last is None or last.label != label or before - last.sample > window:
                return f'no "{label}" within {rule.within_seconds:g} s before'
            before = last.sample
        return ""


def anything() -> Decider:
    """Return one that has every command acted upon."""
    return Decider({}, sample_rate=1, clock=time)


def parse_span(text: str) -> Span:
    """Read "22:00-07:00"; ValueError says what is wrong."""
    try:
        found = re.fullmatch(_SPAN, text.strip(), re.ASCII)
        if found is None:
            raise ValueError
        return Span(time.fromisoformat(found["begin"]), time.fromisoformat(found["end"]))
    except ValueError:
        raise ValueError(f'quiet: "{text}" is no span such as "22:00-07:00"') from None


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
