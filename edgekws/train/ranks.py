"""Processes that train one net together: their parts of a batch, and what they tell each other.

Each of them, a rank, has the whole net and moves it alike; rank 0 leads: it alone validates, writes
and speaks. Gradients travel as one flat tensor. DistributedDataParallel wraps one forward pass and
a fixed set of learners; here a loss is made of several parts of the net, and layers begin to learn
within a phase. Nets this small have nothing to gain from gradients that travel in portions.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.rendezvous import rendezvous

from edgekws.errors import EdgekwsError, RunError

T = TypeVar("T")

JOIN_SECONDS: Final = 600.0
"""For all to be there."""
WAIT_SECONDS: Final = 1800.0
"""For a rank that is silent: longer than any validation. One that is gone is noticed at once."""


class LostTouchError(RunError):
    """Another rank is gone, or was silent for too long."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of a training; one alone has nobody to talk to.

    Every method that talks is called by all ranks, in the same order. It raises LostTouchError
    where that fails, and KeyboardInterrupt for a Ctrl-C that was blocked until then: in the middle
    of a step, or of torch's cleaning up, it would leave tracebacks.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Return whether this is the rank that validates, writes and speaks."""
        return self.rank == 0

    def own(self, batch: int) -> slice:
        """Return which examples of a batch are this rank's: every `count`-th."""
        return slice(self.rank, batch, self.count)

    def average(self, tensors: Sequence[Tensor], *, share: float) -> None:
        """Make float32 tensors their mean over all ranks, where this one's count by its share."""
        if self.count > 1:
            flat = torch.cat([tensor.flatten() for tensor in tensors]) * share
            self._talk(lambda: distributed.all_reduce(flat))
            _fill(tensors, flat)

    def follow(self, tensors: Sequence[Tensor]) -> None:
        """Make float32 tensors those of rank 0."""
        if self.count > 1:
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            self._talk(lambda: distributed.broadcast(flat, 0))
            _fill(tensors, flat)

    def told(self, data: bytes, *, by: int = 0) -> bytes:
        """Return what one rank gives; what the others give is not heard."""
        if self.count == 1:
            return data
        size = torch.tensor(len(data))
        self._talk(lambda: distributed.broadcast(size, by))
        content = torch.zeros(int(size), dtype=torch.uint8)
        if self.rank == by and data:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        self._talk(lambda: distributed.broadcast(content, by))
        return content.numpy().tobytes()

    def all_told(self, text: str) -> list[str]:
        """Return what every rank gives, in their order."""
        return [self.told(text.encode(), by=rank).decode() for rank in range(self.count)]

    def _talk(self, exchange: Callable[[], object]) -> None:
        if signal.SIGINT in signal.sigpending():
            raise KeyboardInterrupt
        try:
            exchange()
        except RuntimeError as fault:
            raise _lost(self.rank, self.count, fault) from fault


ALONE: Final = Ranks()


@contextmanager
def joined(rank: int, count: int, *, meeting: str) -> Iterator[Ranks]:
    """Meet the other ranks at a URL that all know, "env://" for what torchrun has set."""
    try:
        with _interrupted_at_once():
            _join(rank, count, meeting)
    except (RuntimeError, ValueError, OSError) as fault:
        raise _lost(rank, count, fault) from fault
    try:
        yield Ranks(rank, count)
    finally:
        distributed.destroy_process_group()


def _join(rank: int, count: int, meeting: str) -> None:
    within, silence = timedelta(seconds=JOIN_SECONDS), timedelta(seconds=WAIT_SECONDS)
    store, _, _ = next(rendezvous(meeting, rank, count, timeout=within))
    distributed.init_process_group(
        "gloo",  # the nets live in the CPU's memory
        store=store,
        rank=rank,
        world_size=count,
        timeout=silence,
    )


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process: nothing is held yet, and no handler runs while torch waits."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def agreed(ranks: Ranks, prepare: Callable[[], T], name: Callable[[T], str]) -> T:
    """Return what every rank has prepared for itself; `name` is of all that has to be alike.

    Where one fails, all do: rank 0 raises its own EdgekwsError, or RunError for another one's.
    """
    try:
        made = prepare()
    except EdgekwsError as fault:
        ranks.all_told(str(fault))
        raise
    for rank, fault_there in enumerate(ranks.all_told("")):
        if fault_there:
            raise RunError(f"process {rank} of {ranks.count}: {fault_there}")
    names = ranks.all_told(name(made))
    for rank, name_there in enumerate(names):
        if name_there != names[0]:
            raise RunError(
                f"process {rank} of {ranks.count} has another recipe or other recordings than "
                "process 0; give all of them the same"
            )
    return made


def _lost(rank: int, count: int, fault: Exception) -> LostTouchError:
    what = " ".join(str(fault).split())[:200]
    return LostTouchError(
        f"process {rank} of {count} does not reach the others ({what}); see what they say, and "
        "give the same command again: it goes on from the last epoch"
    )


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    with torch.no_grad():
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
