"""A certificate for this machine, made on the spot by openssl; nothing but a test trusts it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.needs import lacking


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key and its self-signed certificate, which is its own authority."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, *, name: str = "localhost") -> Self:
        """Make one for a host name."""
        made = cls(folder / f"{name}.crt", folder / f"{name}.key")
        command = [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
                "-addext",
                f"subjectAltName=DNS:{name}",
            ),
            *("-keyout", str(made.key), "-out", str(made.certificate)),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except FileNotFoundError:
            lacking("openssl is not installed: apt-get install openssl")
        made.key.chmod(0o644)  # the broker may give its rights away before it reads the key
        return made
