"""Putting a finished folder in the place of another so that no moment shows neither."""

import ctypes
import errno
import os
import shutil
from pathlib import Path
from typing import Final

AT_FDCWD: Final = -100
RENAME_EXCHANGE: Final = 2  # linux/fs.h
NOT_HERE: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV)


def replace_folder(new: Path, out: Path, *, aside: Path) -> None:
    """Move the folder `new` to `out`; an older `out` is then found under `new`, or is gone.

    Where the system cannot exchange two names in one step, `out` is first renamed to `aside`: a
    crash just then leaves it there, and `restore_folder` puts it back.
    """
    if not out.exists() or not any(out.iterdir()):
        new.rename(out)
    elif not _exchange(new, out):
        out.rename(aside)
        new.rename(out)
        shutil.rmtree(aside)


def restore_folder(out: Path, *, aside: Path) -> None:
    """Undo what a crash left half-done: `aside` becomes `out` where there is none, or goes."""
    if aside.is_dir() and not out.exists():
        aside.rename(out)
    elif aside.is_dir():
        shutil.rmtree(aside)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # not Linux, or glibc before 2.28
        return False
    names = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other))
    if renameat2(*names, RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in NOT_HERE:
        return False
    raise OSError(code, os.strerror(code), str(other))
