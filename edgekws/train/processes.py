"""Training in several processes of this machine: started, watched and ended from here.

They are forked, and so share the memory of the recordings. Whoever forks has computed with one
thread before: GNU OpenMP does not survive the fork of a process that has its threads.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from multiprocessing.queues import SimpleQueue
from typing import Final

import torch
from torch.multiprocessing.spawn import start_processes

from edgekws.errors import EXIT_INTERRUPTED, EdgekwsError, RunError
from edgekws.train.interrupts import interrupts_kept_back
from edgekws.train.ranks import LostTouchError, Ranks, joined

ENDING_SECONDS: Final = 10.0
"""For processes to end by themselves, what they started included."""


def run_in_processes(work: Callable[[Ranks], object], count: int, *, threads: int) -> None:
    """Let so many ranks of this machine do the same work, each with so many threads for torch.

    Where one fails or dies, all end: raises its EdgekwsError, or RunError. None outlives the call.
    """
    faults: SimpleQueue[EdgekwsError] = get_context("fork").SimpleQueue()
    processes: list[ForkProcess] = []
    failed: int | None = None
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        try:
            with interrupts_kept_back():
                args = (os.getpid(), count, work, threads, f"file://{folder}/meeting", faults)
                started = start_processes(  # type: ignore[no-untyped-call]
                    _be_rank, args, nprocs=count, join=False, start_method="fork"
                )
                processes += started.processes
            failed = _first_to_fail(processes)
        finally:
            with interrupts_kept_back():
                _end(processes)
    if failed is not None:
        raise _reason(failed, processes, faults)


def _be_rank(
    rank: int,
    parent: int,
    count: int,
    work: Callable[[Ranks], object],
    threads: int,
    meeting: str,
    faults: "SimpleQueue[EdgekwsError]",
) -> None:
    """Work as one of the ranks; what fails is told to whoever started it, who alone says it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until it talks: see ranks.py
    if os.getppid() != parent:  # torch has it interrupted only by an end that is still to come
        sys.exit(EXIT_INTERRUPTED)
    torch.set_num_threads(threads)
    try:
        with joined(rank, count, meeting=meeting) as ranks:
            work(ranks)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except EdgekwsError as fault:
        faults.put(fault)
        sys.exit(fault.exit_code)
    except Exception as fault:  # noqa: BLE001  (the end of a process, which tells it as one line)
        what = f"process {rank} of {count}: unforeseen {type(fault).__name__}: {fault}"
        faults.put(RunError(what))
        sys.exit(RunError.exit_code)


def _first_to_fail(processes: Sequence[ForkProcess]) -> int | None:
    """Wait until all have ended well or one has not; return its rank.

    One that a signal ended comes before those that miss it.
    """
    running = [*processes]
    while running:
        ended = wait([process.sentinel for process in running])
        for process in running:
            if process.sentinel in ended:
                process.join()
        codes = [process.exitcode or 0 for process in processes]
        if any(codes):
            killed = min(codes)
            return codes.index(killed if killed < 0 else max(codes))
        running = [process for process in running if process.exitcode is None]
    return None


def _end(processes: Sequence[ForkProcess]) -> None:
    """End what still runs, as Ctrl-C does, and for good what does not end by that."""
    for process in processes:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)
    until = time.monotonic() + ENDING_SECONDS
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _reason(
    rank: int, processes: Sequence[ForkProcess], faults: "SimpleQueue[EdgekwsError]"
) -> BaseException:
    """Return why a rank has failed: what it told, or else what ended it."""
    code = processes[rank].exitcode or 0
    if code == EXIT_INTERRUPTED:
        return KeyboardInterrupt()
    told: list[EdgekwsError] = []
    while not faults.empty():
        told.append(faults.get())
    told.sort(key=lambda fault: isinstance(fault, LostTouchError))
    if told and code > 0:
        return told[0]
    how, advice = f"exit code {code}", ""
    if code < 0:
        how = signal.Signals(-code).name
    if code == -signal.SIGKILL:
        advice = ", with fewer --processes where memory was short"
    return RunError(
        f"process {rank} of {len(processes)} was ended by {how}; the same command goes on from "
        f"the last epoch{advice}"
    )
