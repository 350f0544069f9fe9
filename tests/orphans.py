"""A process that is killed at the moment of its first fork, and whether what it forked ends."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from tests.commands import PATIENCE_SECONDS, ROOT

PREAMBLE = """
import os, signal, time

parent = os.getpid()

def begin_when_it_is_dead():
    while os.getppid() == parent:
        time.sleep(0.01)

os.register_at_fork(
    after_in_parent=lambda: os.kill(parent, signal.SIGKILL),
    after_in_child=begin_when_it_is_dead,
)
"""


def assert_none_is_left(forking: str) -> None:
    """Run Python code that forks; TimeoutExpired where its child lives on without it."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + forking],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        parent.communicate(timeout=PATIENCE_SECONDS)  # until nobody has its stdout open any more
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
    assert parent.returncode == -signal.SIGKILL
