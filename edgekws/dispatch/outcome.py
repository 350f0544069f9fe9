"""How one try at acting on a detection ended, and trying again within bounds."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from edgekws.events import Detection, Dispatch

if TYPE_CHECKING:
    from random import Random

MAX_RETRIES: Final = 10
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0


class Outcome(msgspec.Struct, frozen=True):
    """How a try ended; `exit_code` is None where no program ended by itself.

    `final` says that another try would end the same way.
    """

    status: Literal["done", "failed", "timeout"]
    detail: str
    exit_code: int | None = None
    final: bool = False


CLOSING: Final = Outcome("failed", "edgekws is closing", final=True)


def try_again(
    attempt: Callable[[], Outcome],
    *,
    retries: int,
    stop: threading.Event,
    rng: "Random | None" = None,
) -> tuple[Outcome, int]:
    """Call `attempt` until it is done or final, tries are up or `stop` is set; count the calls.

    The pauses double from `FIRST_PAUSE_SECONDS` up; with an `rng` each is cut by up to half, so
    that devices which failed together do not come back together.
    """
    outcome, attempts = attempt(), 1
    while outcome.status != "done" and not outcome.final and attempts <= retries:
        if stop.wait(pause_seconds(attempts, rng)):
            break
        outcome, attempts = attempt(), attempts + 1
    return outcome, attempts


def pause_seconds(attempts: int, rng: "Random | None" = None) -> float:
    """Return how long to wait after so many tries."""
    whole = min(FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1), LONGEST_PAUSE_SECONDS)
    return whole if rng is None else whole * rng.uniform(0.5, 1.0)


def check_retries(retries: int) -> None:
    """Raise ValueError for a number of retries that makes no sense in settings."""
    if not 0 <= retries <= MAX_RETRIES:
        raise ValueError(f"need 0 <= retries <= {MAX_RETRIES}")


def check_timeout(timeout_seconds: float, *, at_most: float) -> None:
    """Raise ValueError for a timeout that makes no sense in settings; NaN is one."""
    if not 0 < timeout_seconds <= at_most:
        raise ValueError(f"need 0 < timeout_seconds <= {at_most:g}")


def to_dispatch(detection: Detection, sink: str, outcome: Outcome, attempts: int = 1) -> Dispatch:
    """Return the result of a detection at a sink."""
    return Dispatch(
        id=detection.id,
        label=detection.label,
        sink=sink,
        status=outcome.status,
        detail=outcome.detail,
        exit_code=outcome.exit_code,
        attempts=attempts,
    )
