"""What a sink believes of the other end of a TLS connection: its certificate, and its name."""

import ssl
from pathlib import Path

from edgekws.errors import SinkError


def client_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies the peer against a file of authorities, or the system's.

    Raises SinkError where the file cannot be read or holds no certificate.
    """
    path = Path(ca_file).expanduser() if ca_file else None
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or error
        raise SinkError(f"ca_file: {path} gives no certificate authority: {reason}") from error
