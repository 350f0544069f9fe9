"""The journal: whole JSON lines from any thread, in any language, and quiet when nobody reads."""

import io
import json
import os
import subprocess
import sys
import threading

from edgekws.dispatch.journal import Journal
from edgekws.events import Detection, Dispatch

DETECTION = Detection(1, "开灯", 0.975, 32_000, 2.0)
RESULT = Dispatch(1, "开灯", "process", "failed", "exit code 3", exit_code=3, attempts=2)


def test_a_detection_and_its_result_are_two_lines_of_json() -> None:
    out = io.StringIO()
    journal = Journal(out)
    journal.write(DETECTION)
    journal.write(RESULT)
    assert out.getvalue() == (
        '{"event": "detection", "id": 1, "label": "开灯", "score": 0.975, "sample": 32000, '
        '"time_seconds": 2.0}\n'
        '{"event": "dispatch", "id": 1, "label": "开灯", "sink": "process", "status": "failed", '
        '"detail": "exit code 3", "exit_code": 3, "attempts": 2}\n'
    )


def test_letters_that_the_stream_lacks_are_escaped() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        Journal(stream).write(DETECTION)
        assert raw.getvalue().isascii()
        assert json.loads(raw.getvalue())["label"] == "开灯"


def test_lines_of_several_threads_stay_whole() -> None:
    out = io.StringIO()
    journal = Journal(out)
    threads = [
        threading.Thread(target=lambda: [journal.write(DETECTION) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    labels = [json.loads(line)["label"] for line in out.getvalue().splitlines()]
    assert labels == ["开灯"] * 200


def test_a_reader_that_left_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
        journal = Journal(stream)
        assert not journal.closed
        journal.write(DETECTION)
        journal.write(RESULT)
        assert journal.closed


def test_a_whole_program_ends_quietly_when_its_reader_left() -> None:
    script = (
        "import sys\nfrom edgekws.dispatch.journal import Journal\n"
        "from edgekws.events import Detection\nsys.stdin.read()\n"
        "journal = Journal(sys.stdout)\njournal.write(Detection(1, 'go', 0.5, 1, 0.1))\n"
        "sys.exit(0 if journal.closed else 1)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.close()
    child.stdout = None
    _, errors = child.communicate(b"", timeout=60)
    assert (child.returncode, errors) == (0, b"")
