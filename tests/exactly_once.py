"""Commands over a faulty wire to a board that is restarted in between, with books kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from edgekws.link.orders import Order, Outcome
from edgekws.link.session import Link
from tests.faulty_wire import Spoiler, Wire

TIME_TO_LIVE_MS: Final = 2000
WIRE_BYTES_PER_MS: Final = 11.52  # 115,200 baud, ten bits to the byte


class Ground(Protocol):
    """Where the conversation takes place: a board, and time."""

    def now_ms(self) -> int: ...

    def exchange(self, data: bytes) -> bytes:
        """Hand bytes to the board, let a little time pass, and return what it sent."""
        ...

    def restart(self) -> None: ...

    def executed(self) -> list[int]:
        """Return the argument of every command that the board carried out, over all starts."""
        ...


@dataclass(frozen=True, slots=True)
class Books:
    """What became of each command, by its number, and what the board says that it did."""

    outcomes: Sequence[Outcome]
    waited_ms: Sequence[int]
    executed: Sequence[int]
    restarts: int
    spoiled: int

    def statuses(self) -> Counter[str]:
        return Counter(outcome.status for outcome in self.outcomes)

    def check(self, *, late_ms: int) -> None:
        """Assert: none twice, none unasked, all that are reported done, all reported in time.

        `late_ms` is how long after the time to live the ground may look at its clock again.
        """
        assert len(set(self.executed)) == len(self.executed), "a command was carried out twice"
        assert set(self.executed) <= set(range(len(self.outcomes)))
        done = {i for i, outcome in enumerate(self.outcomes) if outcome.status == "done"}
        assert done <= set(self.executed), "a command was reported done and was not carried out"
        assert max(self.waited_ms) <= TIME_TO_LIVE_MS + late_ms


def keep_books(
    ground: Ground,
    labels_hash: int,
    *,
    labels: Sequence[int],
    count: int,
    rate: float,
    every: int,
    bytes_per_ms: float | None = None,
    seed: int = 0,
) -> Books:
    """Send `count` commands whose arguments are their numbers, over a wire of this fault rate.

    The board is restarted about every `every`th command, before or after it has arrived.
    """
    random = Random(round(rate * 100) + count + (seed << 16))
    link = Link(labels_hash, lambda: random.getrandbits(32))
    there = Wire(Spoiler(rate, seed=random.getrandbits(32)), bytes_per_ms=bytes_per_ms)
    back = Wire(Spoiler(rate, seed=random.getrandbits(32)), bytes_per_ms=bytes_per_ms)
    outcomes, waited, restarts = [], [], 0
    for number in range(count):
        begin = ground.now_ms()
        restart = number % every == every - 1
        restart_ms = begin + random.randrange(12)
        label = labels[number % len(labels)]
        link.submit(Order(label, random.random(), TIME_TO_LIVE_MS, number), begin)
        while link.outcome is None or restart:
            if restart and ground.now_ms() >= restart_ms:
                ground.restart()
                restart, restarts = False, restarts + 1
            _turn(link, ground, there, back)
        outcomes.append(link.outcome)
        waited.append(ground.now_ms() - begin)
    return Books(outcomes, waited, ground.executed(), restarts, there.spoiled + back.spoiled)


def _turn(link: Link, ground: Ground, there: Wire, back: Wire) -> None:
    link.poll(ground.now_ms())
    there.send(link.take_output(), ground.now_ms())
    back.send(ground.exchange(there.arrived(ground.now_ms())), ground.now_ms())
    link.feed(back.arrived(ground.now_ms()), ground.now_ms())


def report(rate: float, all_books: Sequence[Books]) -> str:
    """Return a line of figures for a person, over one board or several."""
    outcomes = [outcome for books in all_books for outcome in books.outcomes]
    done = sum(outcome.status == "done" for outcome in outcomes)
    return (
        f"{rate:.0%} of frames spoiled ({sum(books.spoiled for books in all_books)}): "
        f"{len(outcomes)} commands, {done} done, {len(outcomes) - done} reported failed, "
        f"{sum(len(books.executed) for books in all_books)} carried out, none twice; "
        f"{sum(books.restarts for books in all_books)} restarts, "
        f"slowest {max(max(books.waited_ms) for books in all_books)} ms"
    )
