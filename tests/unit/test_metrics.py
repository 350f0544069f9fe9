"""The page of metrics: a strict reader takes it, whatever stands in a label."""

import socket
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from edgekws.errors import ConfigError
from edgekws.events import Decision, Detection, Dispatch, LinkHealth, NearMiss
from edgekws.runtime.counts import Tellers
from edgekws.runtime.doors import LOOPBACK, anyone, loopback_listener
from edgekws.runtime.metrics import Figures, exposition
from edgekws.runtime.reception import Door, Reception
from edgekws.runtime.scrape import REQUEST_BYTES, TEXTFILE_SECONDS, ScrapeTalk, Textfile, response
from tests.control_socket import HEALTH, PATIENCE_SECONDS

NASTY: Final = 'a"b\\c\nd{e="f"} 开灯 \\n'


def figures() -> Figures:
    tellers = Tellers()
    for label in ("yes", "yes", NASTY):
        tellers.note(Detection(1, label, 0.9, 100, 0.1), 0.0)
    tellers.note(NearMiss(1, "no", 0.5, 0.7, 100, 0.1), 0.0)
    tellers.note(Decision(1, "yes", "hold", "quiet hours"), 0.0)
    tellers.note(Dispatch(1, NASTY, NASTY, "failed", "x"), 0.0)
    counters = replace(HEALTH.counters, samples=32_000, gaps=4, steps=9)
    return Figures(replace(HEALTH, counters=counters), 16_000, tellers.counts(), 1.5, 6)


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def one(text: str, name: str) -> float:
    (sample,) = families(text)[name].samples
    value: float = sample.value
    return value


def test_the_figures_are_read_back() -> None:
    page = exposition(figures())
    assert one(page, "edgekws_audio_seconds") == 2.0
    assert one(page, "edgekws_audio_gaps") == 4
    assert one(page, "edgekws_audio_dropped_frames") == 7
    assert one(page, "edgekws_audio_level_dbfs") == -31.5
    assert one(page, "edgekws_last_audio_age_seconds") == 0.05
    assert one(page, "edgekws_stdout_lost_lines") == 3
    assert one(page, "edgekws_journal_lost_lines") == 6
    assert one(page, "process_cpu_seconds") == 1.5


def test_what_has_not_come_has_no_value() -> None:
    assert families(exposition(figures()))["edgekws_last_inference_age_seconds"].samples == []


def test_labels_are_read_back_whatever_stands_in_them() -> None:
    found = families(exposition(figures()))
    detections = {s.labels["label"]: s.value for s in found["edgekws_detections"].samples}
    assert detections == {"yes": 2.0, NASTY: 1.0}
    (near,) = found["edgekws_near_misses"].samples
    assert (near.labels, near.value) == ({"label": "no"}, 1.0)
    (decision,) = found["edgekws_decisions"].samples
    assert (decision.labels, decision.value) == ({"verdict": "hold"}, 1.0)
    (dispatch,) = found["edgekws_dispatches"].samples
    assert dispatch.labels == {"sink": NASTY, "status": "failed"}
    (bundle,) = found["edgekws_bundle_info"].samples
    assert bundle.labels == {"bundle": HEALTH.bundle}


def test_the_state_is_one_of_all() -> None:
    samples = families(exposition(figures()))["edgekws_health_state"].samples
    states = {sample.labels["state"]: sample.value for sample in samples}
    assert states == {"starting": 0, "listening": 1, "degraded": 0, "muted": 0, "deaf": 0}


def test_a_link_has_its_device_and_whether_it_is_up() -> None:
    links = (LinkHealth(True, NASTY, "", 0), LinkHealth(False, None, "no device", 3))
    seen = replace(figures(), health=replace(HEALTH, links=links))
    samples = families(exposition(seen))["edgekws_link_up"].samples
    assert {s.labels["device"]: s.value for s in samples} == {NASTY: 1, "": 0}


def test_names_follow_the_conventions() -> None:
    for family in families(exposition(figures())).values():
        assert family.name.startswith(("edgekws_", "process_"))
        assert family.documentation
        suffix = "_total" if family.type == "counter" else ""
        assert {s.name for s in family.samples} <= {family.name + suffix}


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
        return answer


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /metrics HTTP/1.1", b"200 OK"),
        (b"GET /metrics?x=1 HTTP/1.0", b"200 OK"),
        (b"HEAD /metrics HTTP/1.1", b"200 OK"),
        (b"GET / HTTP/1.1", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed"),
        (b"\xff\x00\x01", b"405 Method Not Allowed"),
    ],
)
def test_the_page_is_handed_out_over_http(request_line: bytes, status: bytes) -> None:
    page = exposition(figures())
    with loopback_listener(0) as listener:
        door = Door(listener, anyone, lambda why: response("503", why), lambda: ScrapeTalk(text))

        def text() -> str:
            return page

        with Reception([door], []):
            answer = ask(listener.getsockname()[1], request_line + b"\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert (body.decode() == page) == (status == b"200 OK" and request_line[:3] == b"GET")


def test_a_head_without_end_is_refused() -> None:
    talk = ScrapeTalk(lambda: "")
    answers = [a for _ in range(3) for a in talk.hear(b"x" * REQUEST_BYTES)]
    assert [a.split(b"\r\n")[0] for a in answers] == [
        b"HTTP/1.1 431 Request Header Fields Too Large"
    ]
    assert talk.over


def test_a_port_that_is_taken_is_named() -> None:
    with loopback_listener(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"\[metrics\] port: {port} of 127.0.0.1"):
            loopback_listener(port).__enter__()


def test_the_file_is_replaced_when_it_is_due(tmp_path: Path) -> None:
    pages = iter(("one\n", "two\n"))
    path = tmp_path / "edgekws.prom"
    textfile = Textfile(path, lambda: next(pages))
    assert textfile.work(100.0) == TEXTFILE_SECONDS
    assert textfile.work(101.0) == TEXTFILE_SECONDS - 1.0
    assert path.read_text() == "one\n"
    textfile.work(100.0 + TEXTFILE_SECONDS)
    assert path.read_text() == "two\n"
    assert [p.name for p in tmp_path.iterdir()] == ["edgekws.prom"]


def test_a_file_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    textfile = Textfile(tmp_path / "nowhere" / "edgekws.prom", lambda: "one\n")
    for now in (0.0, 100.0, 200.0):
        textfile.work(now)
    assert len(caplog.records) == 1
    assert "No such file" in caplog.text
