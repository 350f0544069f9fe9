"""The folder that a run is to be left in: made, and no finished run lost without a word."""

from pathlib import Path

from edgekws.errors import RunError
from edgekws.train.loop import CHECKPOINT_FILE
from edgekws.train.run import RUN_FILE


def require_place(out: Path, *, overwrite: bool) -> None:
    """Make the run folder; RunError where it cannot be, or holds what is not to be replaced."""
    if (out / RUN_FILE).exists() and not overwrite:
        raise RunError(f"{out}: holds a finished run; name another --out, or add --overwrite")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RunError(
            f"{out}: cannot be made a folder ({fault.strerror}); name another --out"
        ) from fault


def clear_place(out: Path) -> None:
    """Take the mark of a finished run away; a checkpoint left beside it was already used up."""
    if (out / RUN_FILE).exists():
        (out / CHECKPOINT_FILE).unlink(missing_ok=True)
        (out / RUN_FILE).unlink()
