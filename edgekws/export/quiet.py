"""Keeps the chatter of converters away from people: stderr of `export` belongs to edgekws."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from edgekws.engines.descriptors import muted

STDOUT, STDERR = 1, 2


@contextmanager
def quietly() -> Iterator[None]:
    """Drop what is printed, logged or warned of meanwhile, by native code too."""
    before = logging.root.manager.disable
    _flush()
    with warnings.catch_warnings(), muted(STDOUT, STDERR):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)
            _flush()


def _flush() -> None:
    """Let nothing that was written before or meanwhile come out on the other side."""
    sys.stdout.flush()
    sys.stderr.flush()
