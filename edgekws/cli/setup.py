"""What the device commands do before anything else: logging to stderr, one BLAS thread."""

import json
import logging
import os
import sys
from typing import Any, Final, TextIO

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def begin(*, verbose: bool, quiet: bool = True) -> None:
    """Set up logging, and import numpy such that its BLAS starts no threads.

    `quiet` lets only warnings through; `verbose` lets everything through.
    """
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    if not logging.getLogger().handlers:
        logging.basicConfig(
            stream=_own_stderr(), level=level, format="edgekws: %(levelname)s: %(message)s"
        )
    _import_numpy_with_one_thread()


def print_line(value: Any) -> None:
    """Print a struct, or anything JSON can hold, as one line of JSON.

    Letters are escaped only where the terminal's encoding lacks them.
    """
    import msgspec

    plain = msgspec.to_builtins(value)
    try:
        print(json.dumps(plain, ensure_ascii=False), flush=True)
    except UnicodeEncodeError:
        print(json.dumps(plain), flush=True)


def _own_stderr() -> TextIO:
    """Return stderr behind a descriptor of our own.

    What audio libraries write to descriptor 2 while a microphone is opened is kept from people;
    the log lines of other threads are not to vanish with it.
    """
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # closed, or in the hands of a test
        return sys.stderr
    return open(  # noqa: PTH123  (logging keeps it to the end of the process)
        descriptor, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )


def _import_numpy_with_one_thread() -> None:
    """Import numpy under one-thread settings, and put the environment back for our children.

    The products here are of a few rows: threads that wait for them cost 8 times what they save.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    import numpy  # noqa: F401  (BLAS reads the environment while it loads)

    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
