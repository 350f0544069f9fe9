"""SHA-256 of files is the same by whichever module an interpreter has."""

import hashlib
import subprocess
import sys

import pytest

from edgekws.digest import find_sha256, sha256_hex
from tests.commands import PATIENCE_SECONDS, ROOT


@pytest.mark.parametrize("size", [0, 55, 56, 64, 1000, 100_001])  # around a block and its padding
def test_it_is_the_digest_that_hashlib_gives(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert sha256_hex(data) == hashlib.sha256(data).hexdigest()


def test_an_interpreter_without_its_own_falls_back_to_hashlib() -> None:
    found = find_sha256(("no_such_module", "hashlib"))
    assert found(b"abc").hexdigest() == hashlib.sha256(b"abc").hexdigest()


def test_importing_the_specs_loads_no_hashlib() -> None:
    code = "import sys, edgekws.specs; sys.exit('hashlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0
