"""Keeps what native code says off stdout and stderr, which belong to edgekws."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def muted(*descriptors: int) -> Iterator[None]:
    """Lead these file descriptors nowhere meanwhile, for libraries that no setting silences."""
    with ExitStack() as undo:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        undo.callback(os.close, nowhere)
        for descriptor in descriptors:
            kept = os.dup(descriptor)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, descriptor)
            os.dup2(nowhere, descriptor)
        yield
