"""Ctrl-C waits where it must, and comes through afterwards."""

import signal

import pytest

from edgekws.cli.interrupts import Interruption, interruptible
from edgekws.train.interrupts import interrupts_kept_back


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_kept_back():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest of the block")
    assert done
    with interrupts_kept_back():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_fault_in_the_block_comes_first() -> None:
    with pytest.raises(ValueError, match="ours"), interrupts_kept_back():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("ours")


def test_a_command_is_interrupted_by_an_exception_of_its_own() -> None:
    with pytest.raises(Interruption), interruptible():
        exec("import signal; signal.raise_signal(signal.SIGINT)")
    with pytest.raises(Interruption), interruptible(), interrupts_kept_back():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
