"""Folders that are made once for a whole test run, by the first process of it that needs them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = "EDGEKWS_TEST_ONCE"  # the environment variable that workers of pytest-xdist inherit


@contextmanager
def once_folder() -> Iterator[None]:
    """Give this process and those it starts a folder for what is made once, gone afterwards."""
    if ROOT in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="edgekws-once-") as root:
        os.environ[ROOT] = root
        try:
            yield
        finally:
            del os.environ[ROOT]


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of that name, full: other processes wait while one fills it.

    Nobody may change it afterwards.
    """
    root = Path(os.environ[ROOT])
    place, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place)
            done.touch()
    return place
