"""One command on its way to the board, what became of it, and how the line is."""

from dataclasses import dataclass
from typing import Final, Literal

from edgekws.link.messages import SCORE_ONE, Command

U16_MAX: Final = 0xFFFF

Status = Literal["done", "failed", "timeout"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in milliseconds."""

    heartbeat_ms: int = 100
    """At most so long between two heartbeats; less where the board gives up sooner."""
    silence_ms: int = 1000
    """Without a frame for so long the link is down."""
    first_retry_ms: int = 40
    longest_retry_ms: int = 160
    tries: int = 40
    first_hello_ms: int = 100
    longest_hello_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """A command to get through; `score` is 0 to 1, the time to live at most 65,535 ms.

    `age_ms` is how old it is already.
    """

    label: int
    score: float
    time_to_live_ms: int
    argument: int = 0
    age_ms: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order. If it is not "done", the board may still have acted on it, once."""

    status: Status
    detail: str
    tries: int


class Flight:
    """An order under way; `command` is its id on the wire."""

    def __init__(self, order: Order, command: int, now_ms: int) -> None:
        self.order, self.command = order, command
        self.tries, self.due_ms = 0, now_ms
        self._born_ms = now_ms - order.age_ms

    @property
    def end_ms(self) -> int:
        """When its time to live is over."""
        return self._born_ms + self.order.time_to_live_ms

    def next_try(self, now_ms: int, timing: Timing) -> Command:
        """Return what is to be sent now, and put off the next try by a growing pause."""
        pause_ms = timing.first_retry_ms * 1.5**self.tries
        self.due_ms = now_ms + min(round(pause_ms), timing.longest_retry_ms)
        self.tries += 1
        return Command(
            label=self.order.label,
            score=round(self.order.score * SCORE_ONE),
            time_to_live_ms=self.order.time_to_live_ms,
            age_ms=min(now_ms - self._born_ms, U16_MAX),
            argument=self.order.argument,
        )
