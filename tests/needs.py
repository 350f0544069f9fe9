"""What a test needs of the machine: where it is lacking, CI fails and a person's machine skips."""

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip the test, saying why; in CI, which installs what is needed, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
