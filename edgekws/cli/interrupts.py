"""Ctrl-C as an exception that leaves the exit code to us."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Interruption(KeyboardInterrupt):
    """Ctrl-C, in a form after which CPython ends with the exit code of main().

    After a plain KeyboardInterrupt that has passed through an exec of text, as many imports of
    torch do, it ends by SIGINT instead, caught or not.
    """


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interruption at Ctrl-C inside of the block; for the main thread."""
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interruption
