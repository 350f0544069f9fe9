"""Ctrl-C waits where it must, and comes through afterwards."""

import signal
from collections.abc import Callable

import pytest

from edgekws.cli.interrupts import Interruption, interruptible
from edgekws.train.interrupts import interrupts_kept_back


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def kept_back(*steps: Callable[[], None]) -> None:
    with interrupts_kept_back():
        for step in steps:
            step()


def fail() -> None:
    raise ValueError("ours")


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        kept_back(interrupt, lambda: done.append("the rest"))
    assert done
    kept_back()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_fault_in_the_block_comes_first() -> None:
    with pytest.raises(ValueError, match="ours"):
        kept_back(interrupt, fail)


def test_a_command_is_interrupted_by_an_exception_of_its_own() -> None:
    with pytest.raises(Interruption), interruptible():
        exec("interrupt()", {"interrupt": interrupt})
    with pytest.raises(Interruption), interruptible():
        kept_back(interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
