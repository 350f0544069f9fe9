"""A venv for each listener, without pip in it, so that its size is that of what it needs."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Venv:
    """A venv at a path."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages are."""
        (site,) = self.path.glob("lib/python*/site-packages")
        return site

    def size_bytes(self) -> int:
        """Return the size of all its packages."""
        return sum(path.lstat().st_size for path in self.site.rglob("*") if not path.is_dir())


def make_venv(home: Venv, packages: Sequence[str]) -> None:
    """Make a venv with these packages; one that is there is brought up to date by pip.

    Raises CalledProcessError with pip's words.
    """
    venv.create(home.path, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(home.python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *packages], capture_output=True, check=True)


def last_words(error: Exception) -> str:
    """Return the line that says most about an error, of a process or our own."""
    said = getattr(error, "stderr", None) or str(error).encode()
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if "fatal error" in line]  # a compiler's, in the midst of pip's
    errors = [line for line in lines if "error" in line.lower()]
    return (fatal or errors or lines or ["no message"])[-1][:200]
