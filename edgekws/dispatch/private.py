"""Secrets: read from files of their own, so that no command line, log or listen.toml holds one."""

import logging
import stat
from pathlib import Path
from typing import Final

from edgekws.errors import SinkError

log = logging.getLogger(__name__)

MAX_SECRET_BYTES: Final = 4096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check_file_name(key: str, name: str) -> None:
    """Raise ValueError where a setting names a file in a way that depends on who starts edgekws."""
    if name and not name.startswith(("/", "~/")):
        raise ValueError(f'{key} needs a whole path, such as "/etc/edgekws/secret" or "~/secret"')


def read_secret(key: str, name: str) -> str:
    """Return the text of a file without its last line break; warn where others may read it.

    Raises:
        SinkError: not there, not readable, empty, too long, or not one line of UTF-8 text.
    """
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(MAX_SECRET_BYTES + 1)
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SinkError(f"{key}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SinkError(f"{key}: {path} is not UTF-8 text; write the secret as text") from None
    if not text or len(data) > MAX_SECRET_BYTES or not text.isprintable():
        limit = f"of up to {MAX_SECRET_BYTES} bytes"
        raise SinkError(f"{key}: {path} needs to hold the secret as one line {limit}")
    if mode & _OTHERS:
        log.warning("%s: others may read or change %s (mode %o); chmod 600 it", key, path, mode)
    return text
