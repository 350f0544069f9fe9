"""Where the control socket is: the folder that the system gives for such things."""

import os
from pathlib import Path
from typing import Final

from edgekws.errors import ConfigError, UsageError

OF_THE_SYSTEM: Final = Path("/run/edgekws")
_OURS: Final = "RUNTIME_DIRECTORY"  # systemd.exec(5); several are separated by colons
_OF_THE_USER: Final = "XDG_RUNTIME_DIR"
_NAME: Final = "control"


def socket_to_open(text: str) -> Path:
    """Return where `[control] socket` is; a relative one lies in systemd's or the user's folder.

    Raises ConfigError where there is neither folder, or it cannot be made.
    """
    path = Path(text).expanduser()
    if path.is_absolute():
        return path
    folder = _folder()
    if folder is None:
        raise ConfigError(
            f"[control] socket: {text!r} lies in ${_OURS} or ${_OF_THE_USER}, and neither is set;"
            " name an absolute path"
        )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"[control] socket: {folder} cannot be made: {error.strerror}; name an absolute path"
        ) from error
    return folder / path


def socket_to_ask(given: Path | None) -> Path:
    """Return the socket to ask at: the one given, or the user's, or the system's."""
    if given is not None:
        return given
    folder = _folder()
    places = ([] if folder is None else [folder]) + [OF_THE_SYSTEM]
    for place in places:
        if (place / _NAME).is_socket():
            return place / _NAME
    raise UsageError(
        "no control socket in " + " or ".join(map(str, places)) + ": [control] in listen.toml opens"
        " one, --socket names one elsewhere"
    )


def _folder() -> Path | None:
    ours = os.environ.get(_OURS, "").split(":")[0]
    if ours:
        return Path(ours)
    user = os.environ.get(_OF_THE_USER, "")
    return Path(user) / "edgekws" if user else None
