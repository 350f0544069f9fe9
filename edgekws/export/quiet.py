"""Keeps the chatter of converters away from people: stderr of `export` belongs to edgekws."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Final

from edgekws.engines.descriptors import muted

STDOUT: Final = 1
STDERR: Final = 2


@contextmanager
def quietly() -> Iterator[None]:
    """Drop what is printed, logged or warned of meanwhile, by native code too.

    Logging is left as it was found: OpenVINO's converter keeps all but errors of the root logger,
    and so of everything that follows it in the process.
    """
    before, level, dropped = logging.root.manager.disable, logging.root.level, StringIO()
    sys.stdout.flush()  # what was said before has to come out
    sys.stderr.flush()
    with (
        warnings.catch_warnings(),
        muted(STDOUT, STDERR),
        redirect_stdout(dropped),
        redirect_stderr(dropped),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)
            logging.root.setLevel(level)
