"""`edgekws listen` seen from outside: ctl, metrics, the journal file."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bundles import make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, Listening, argv, edgekws, environment, run_text
from tests.control_socket import Client, short_folder

SPEECH: Final = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1))).tobytes()
GROWTH_BYTES: Final = 5_000_000  # promised for 200 hostile messages
HOSTILE: Final = (
    b"x" * 1_000_000,
    b"[" * 4_000 + b"\n",
    b'{"do":' * 600 + b"\n",
    b'{"do":"status"}\n' * 2_000,
    b'{"do":"tail"}\n' + b'{"do":"status"}\n' * 2_000,
    b'{"do":"mute","seconds":1e999}\n',
    b"\xff\xfe\x00" * 1_000 + b"\n",
    b"\n" * 4_000,
    b"GET / HTTP/1.1\r\n\r\n",
    b"",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("control") / "tones")


@dataclass
class Seen:
    listening: Listening
    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "control"

    def ctl(self, *args: object) -> Any:
        done = run_text("ctl", *args, "--socket", self.socket)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    def wait_for_samples(self, count: int) -> None:
        """Wait until so much was heard."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with Client(self.socket) as client:
            while client.ask(do="status")["health"]["counters"]["samples"] < count:
                assert time.monotonic() < deadline, "the audio is not heard"

    def states(self) -> list[str]:
        """Return the states that the journal tells of."""
        lines = (self.folder / "journal.jsonl").read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event["state"] for event in events if event["event"] == "health"]

    def wait_for_state(self, state: str) -> None:
        """Wait until the journal tells of it last: the daemon looks once a second."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.states()[-1:] != [state]:
            assert time.monotonic() < deadline, f"the journal tells of no {state}"
            time.sleep(0.02)

    def page(self) -> str:
        assert self.listening.process.stderr is not None
        while b"metrics url=" not in (line := self.listening.process.stderr.readline()):
            assert line, "no line with the address came"
        url = line.decode().strip().partition("url=")[2]
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            text: str = answer.read().decode()
        return text


@pytest.fixture
def seen(bundle: Path) -> Iterator[Seen]:
    with short_folder() as folder:
        config = folder / "listen.toml"
        config.write_text(
            f'bundle = "{bundle}"\n[control]\nsocket = "{folder / "control"}"\n'
            '[metrics]\nport = 0\ntextfile = "edgekws.prom"\n'
            '[journal]\npath = "journal.jsonl"\n',
            encoding="utf-8",
        )
        with Listening("--config", config) as listening:
            listening.feed(SPEECH)
            assert [listening.event()["event"] for _ in range(2)] == ["detection", "dispatch"]
            yield Seen(listening, folder)


def values(page: str, name: str) -> dict[str, float]:
    """Return the values of a metric by their labels' values."""
    (family,) = [f for f in text_string_to_metric_families(page) if f.name == name]
    return {",".join(sample.labels.values()): sample.value for sample in family.samples}


def test_it_is_asked_muted_and_reloaded_and_all_is_counted(seen: Seen) -> None:
    status = seen.ctl("status")
    assert status["health"]["state"] == "listening"
    assert status["health"]["last_detection"]["label"] == "yes"
    seen.ctl("mute")
    seen.listening.feed(SPEECH)
    seen.wait_for_samples(2 * len(SPEECH) // 2)
    assert seen.ctl("status")["health"]["state"] == "muted"
    seen.wait_for_state("muted")
    seen.ctl("unmute")
    seen.wait_for_state("listening")
    seen.ctl("reload")
    seen.listening.feed(SPEECH)
    assert [seen.listening.event()["event"] for _ in range(2)] == ["detection", "dispatch"]
    page = seen.page()
    assert values(page, "edgekws_detections") == {"yes": 2.0}
    assert values(page, "edgekws_dispatches") == {"stdout,done": 2.0}
    done = seen.listening.end()
    assert (done.code, done.lines) == (0, [])
    last = (seen.folder / "edgekws.prom").read_text()
    assert values(last, "edgekws_audio_seconds") == {"": 9.0}
    assert values(last, "edgekws_reloads") == {"": 1.0}
    events = [json.loads(x) for x in (seen.folder / "journal.jsonl").read_text().splitlines()]
    assert seen.states()[-1] == "listening"
    events = [event for event in events if event["event"] != "health"]
    told = [event["event"] for event in events]
    assert sorted(told) == sorted(["detection", "decision", "dispatch", "result"] * 2)
    result = events[told.index("result")]
    assert (result["id"], result["verdict"], result["sinks"][0]["status"]) == (1, "act", "done")
    moments = [result[key] for key in ("audio_at", "detected_at", "queued_at", "ended_at")]
    assert moments == sorted(moments)
    assert not seen.socket.exists()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("bundle", "bundel", "unknown field bundel"),
        ("port = 0", "port = 1", "[metrics]: it is another now; that needs a restart"),
    ],
)
def test_a_reload_that_fails_is_the_failure_of_ctl(
    seen: Seen, old: str, new: str, reason: str
) -> None:
    config = seen.folder / "listen.toml"
    config.write_text(config.read_text().replace(old, new, 1))
    done = run_text("ctl", "reload", "--socket", seen.socket)
    assert done.returncode == 3
    assert "all stays as it was" in done.stderr
    assert reason in done.stderr


def test_tail_prints_each_event_as_it_comes(seen: Seen) -> None:
    with subprocess.Popen(
        argv(("ctl", "tail", "--socket", seen.socket)), env=environment(), stdout=subprocess.PIPE
    ) as tail:
        assert tail.stdout is not None
        with Client(seen.socket) as client:  # until the other one follows
            while client.ask(do="status")["visits"]["following"] == 0:
                pass
        seen.listening.feed(SPEECH)
        lines = (json.loads(line) for line in tail.stdout)
        news = (line for line in lines if line["event"] != "health")
        events = [next(news) for _ in range(4)]
        assert [event["event"] for event in events] == [
            *("detection", "decision", "dispatch", "result")
        ]
        assert events[0]["label"] == "yes"
        seen.listening.end()
        assert tail.wait(PATIENCE_SECONDS) == 0


def test_a_detection_is_explained_by_its_scores(seen: Seen) -> None:
    done = run_text("explain", "1", "--socket", seen.socket)
    assert done.returncode == 0, done.stderr
    title, head, *rows = done.stdout.splitlines()
    assert title.startswith('detection 1: "yes" at 1.220 s; it takes a mean of 0.7 over 0.12 s')
    assert head.split()[:3] == ["seconds", "mean", "yes"]
    (here,) = [row for row in rows if "<- here" in row]
    assert here.split()[0] == "+0.000"
    assert float(here.split()[1]) >= 0.7
    assert "<- on" not in rows[0]
    for number, words in (("7", "no detection 7 is held"), ("n1", "no near miss 1 is held")):
        done = run_text("explain", number, "--socket", seen.socket)
        assert (done.returncode, words in done.stderr) == (1, True)


def rss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [x for x in lines if x.startswith("VmRSS:")]
    return int(line.split()[1]) * 1_024


def assail(path: Path, message: bytes) -> None:
    """Send a message, read nothing, hang up; to be cut off meanwhile is as it should be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))  # waits while its queue is full, which with a time-out fails
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.sendall(message)
        except ConnectionError:
            return


def test_200_hostile_messages_cost_no_memory_and_no_command(seen: Seen) -> None:
    pid = seen.listening.process.pid
    for message in HOSTILE:  # once, for what the first of each kind costs for ever
        assail(seen.socket, message)
    before = rss_bytes(pid)
    for number in range(200):
        assail(seen.socket, HOSTILE[number % len(HOSTILE)])
    assert rss_bytes(pid) - before < GROWTH_BYTES
    seen.listening.feed(SPEECH)
    assert seen.listening.event()["label"] == "yes"
    assert seen.ctl("status")["ok"] is True


def test_a_socket_without_a_path_lies_where_ctl_looks(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_folder() as folder:
        monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        config = folder / "listen.toml"
        config.write_text(f'bundle = "{bundle}"\n[control]\n', encoding="utf-8")
        with Listening("--config", config) as listening:
            listening.feed(SPEECH)
            listening.event()
            done = run_text("ctl", "mute", "--for", "60")
            assert done.returncode == 0, done.stderr
            with Client(folder / "edgekws" / "control") as client:
                assert 0 < client.ask(do="status")["muted_seconds"] <= 60
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        done = run_text("listen", "--config", config, "--source", "-")
        assert done.returncode == 3
        assert "neither is set; name an absolute path" in done.stderr


def test_without_a_daemon_ctl_says_so(tmp_path: Path) -> None:
    done = edgekws("ctl", "status", "--socket", tmp_path / "control")
    assert done.code == 1
    assert "control: No such file or directory: is `edgekws listen` running" in done.error


def test_a_full_disk_of_the_journal_is_said_and_nothing_else_suffers(bundle: Path) -> None:
    with short_folder() as folder:
        config = folder / "listen.toml"
        config.write_text(f'bundle = "{bundle}"\n[journal]\npath = "/dev/full"\n')
        done = edgekws("listen", "--source", "-", "--config", config, stdin=SPEECH)
    assert done.code == 0
    assert [line["event"] for line in done.lines] == ["detection", "dispatch"]
    assert "journal /dev/full: No space left on device: lines are lost" in done.stderr
