"""The sockets that others come in by: a Unix one for the same user, a port on the loopback."""

import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edgekws.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7)
_ROOT: Final = 0
_BACKLOG: Final = 64


@contextmanager
def unix_listener(path: Path) -> Iterator[socket.socket]:
    """Listen at a path that only its owner may use; what a dead process left there is replaced.

    Raises ConfigError where that cannot be, or where another process listens already.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _clear(path)
            listener.bind(str(path))
            path.chmod(0o600)  # before listen: nobody can connect earlier
            listener.listen(_BACKLOG)
            ours = path.stat().st_ino
        except OSError as error:
            raise ConfigError(
                f"[control] socket: {path}: {error.strerror or error}; name another path"
            ) from error
        try:
            yield listener
        finally:
            with suppress(OSError):
                if path.stat().st_ino == ours:
                    path.unlink()


@contextmanager
def loopback_listener(port: int) -> Iterator[socket.socket]:
    """Listen at a port of 127.0.0.1; ConfigError where it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"[metrics] port: {port} of {LOOPBACK}: {error.strerror}; name another"
            ) from error
        yield listener


def only(users: frozenset[int]) -> Callable[[socket.socket], str]:
    """Return a check that the kernel's word on the peer names one of these users."""

    def refuse(connection: socket.socket) -> str:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(data)
        return "" if user in users else f"user {user} may not ask here"

    return refuse


def ourselves_and_root() -> frozenset[int]:
    """Return the users that may ask: the one we run as, and root."""
    return frozenset((os.geteuid(), _ROOT))


def anyone(connection: socket.socket) -> str:
    """Let everyone in who can reach the door."""
    del connection
    return ""


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens at; OSError where something else is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError("something that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its queue is full: somebody is there
            pass
    raise OSError("another process listens there")
