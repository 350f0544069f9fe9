"""The webhook sink against a real web server: signatures, retries, and servers that misbehave."""

import base64
import hashlib
import hmac
import json
import logging
import random
import socket
import threading
import time
from pathlib import Path

import pytest

from edgekws.dispatch.outcome import pause_seconds
from edgekws.dispatch.sink import parse_sink
from edgekws.dispatch.webhook import WebhookSettings, WebhookSink, sign
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from tests.certificates import Certificate
from tests.hooks import HookServer, Posted

PATIENCE_SECONDS = 30.0
GIVE_UP_SECONDS = 0.3  # where a server is not to answer in time
DETECTION = Detection(id=7, label="开灯", score=0.5, sample=32_000, time_seconds=2.0)
HOSTILE = '$(reboot); `id` "quoted"\r\nx-injected: 1\r\n\r\n{label}'
SECRET = "correct horse battery staple"


def post(server: HookServer, detection: Detection = DETECTION, **values: object) -> Dispatch:
    given = {"timeout_seconds": PATIENCE_SECONDS, "retries": 0, **values}
    sink = WebhookSettings(url=server.url, **given).open()  # type: ignore[arg-type]
    return sink.send(detection)


def secret_file(folder: Path, text: str = SECRET, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_text(text + "\n")
    path.chmod(mode)
    return str(path)


def verify(posted: Posted, key: bytes) -> bool:
    """Check a signature as a receiver does, without any code of the sink."""
    headers = posted.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + posted.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{expected}"


def test_a_detection_is_posted_as_json() -> None:
    with HookServer() as server:
        assert post(server) == Dispatch(7, "开灯", "webhook", "done", "HTTP 200 OK")
    (posted,) = server.posted
    assert posted.path == "/hook?token=in-the-path"
    assert posted.headers["content-type"] == "application/json"
    assert "webhook-signature" not in posted.headers
    assert json.loads(posted.body) == {
        "id": 7,
        "label": "开灯",
        "score": 0.5,
        "sample": 32_000,
        "time_seconds": 2.0,
    }


def test_a_receiver_verifies_signature_and_age(tmp_path: Path) -> None:
    with HookServer() as server:
        assert post(server, secret_file=secret_file(tmp_path)).status == "done"
    (posted,) = server.posted
    assert verify(posted, SECRET.encode())
    assert not verify(posted, b"another")
    assert abs(int(posted.headers["webhook-timestamp"]) - time.time()) < PATIENCE_SECONDS


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that the libraries of Standard Webhooks are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message_id, stamp, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(key, message_id, stamp, body) == expected


def test_a_secret_of_the_specification_is_decoded(tmp_path: Path) -> None:
    text = "whsec_" + base64.b64encode(b"the key itself").decode()
    with HookServer() as server:
        post(server, secret_file=secret_file(tmp_path, text))
    assert verify(server.posted[0], b"the key itself")


def test_a_server_that_fails_is_tried_again_with_the_same_id() -> None:
    with HookServer(500, 503, 200) as server:
        result = post(server, retries=5)
    assert (result.status, result.attempts) == ("done", 3)
    assert len({each.headers["webhook-id"] for each in server.posted}) == 1
    assert len({each.body for each in server.posted}) == 1


def test_a_server_that_always_fails_is_given_up_with_its_words() -> None:
    with HookServer(500) as server:
        result = post(server, retries=2)
    assert (result.status, result.attempts, len(server.posted)) == ("failed", 3, 3)
    assert result.detail.endswith('HTTP 500 Internal Server Error: {"error": "not today"}')
    assert "token" not in result.detail


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with HookServer(status) as server:
        result = post(server, retries=3)
    assert (result.status, result.attempts, len(server.posted)) == ("failed", 1, 1)
    assert "redirects are not followed" in result.detail


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    with HookServer(status) as server:
        assert post(server, retries=3).attempts == 1


@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_server_that_never_comes_to_an_end_times_out(manner: str) -> None:
    with HookServer(manner) as server:
        result = post(server, timeout_seconds=GIVE_UP_SECONDS, retries=1)
        assert (result.status, result.attempts) == ("timeout", 2)
        assert "did not answer in 0.3 s" in result.detail


def test_a_body_without_end_is_read_only_at_its_beginning() -> None:
    with HookServer("endless") as server:
        result = post(server)
    assert result.status == "failed"
    assert "HTTP 400 Bad Request: [31mno oooo" in result.detail
    assert len(result.detail) < 600
    assert result.detail.isprintable()


def test_a_server_that_hangs_up_is_a_failed_dispatch() -> None:
    with HookServer("cut") as server:
        result = post(server, retries=1)
    assert (result.status, result.attempts) == ("failed", 2)


def test_no_server_at_all_is_a_failed_dispatch() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        result = WebhookSettings(url=url, retries=0).open().send(DETECTION)
    assert (result.status, result.attempts) == ("failed", 1)
    assert "refused" in result.detail


def test_closing_ends_a_request_that_hangs() -> None:
    with HookServer("hang") as server:
        sink = WebhookSettings(url=server.url, timeout_seconds=60.0, retries=5).open()
        results: list[Dispatch] = []
        thread = threading.Thread(target=lambda: results.append(sink.send(DETECTION)))
        thread.start()
        assert server.arrived.acquire(timeout=PATIENCE_SECONDS)
        sink.close()
        thread.join(PATIENCE_SECONDS)
    assert [(each.status, each.detail) for each in results] == [("failed", "edgekws is closing")]
    assert sink.send(DETECTION).detail == "edgekws is closing"


def test_a_hostile_label_stays_inside_the_body() -> None:
    with HookServer() as server:
        assert post(server, Detection(1, HOSTILE, 0.9, 1, 0.1)).status == "done"
    (posted,) = server.posted
    assert json.loads(posted.body)["label"] == HOSTILE
    assert "x-injected" not in posted.headers


def test_a_certificate_is_verified_against_the_named_authority(tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    other = Certificate.make(tmp_path, name="elsewhere")
    with HookServer(certificate=certificate) as server:
        assert post(server, ca_file=str(certificate.certificate)).status == "done"
        for refused in (post(server), post(server, ca_file=str(other.certificate))):
            assert refused.status == "failed"
            assert "CERTIFICATE_VERIFY_FAILED" in refused.detail
    assert len(server.posted) == 1


def test_pauses_grow_are_bounded_and_follow_the_generator() -> None:
    whole = [pause_seconds(attempts) for attempts in range(1, 11)]
    assert whole == sorted(whole)
    assert whole[-1] == 5.0
    spread = [pause_seconds(n, random.Random(3)) for n in range(1, 11)]
    assert spread == [pause_seconds(n, random.Random(3)) for n in range(1, 11)]
    assert all(most / 2 <= pause <= most for pause, most in zip(spread, whole, strict=True))
    assert spread != [pause_seconds(n, random.Random(4)) for n in range(1, 11)]


def test_a_generator_makes_ids_repeatable() -> None:
    with HookServer() as server:
        for _ in range(2):
            WebhookSink(WebhookSettings(url=server.url), rng=random.Random(5)).send(DETECTION)
    first, second = server.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_secret_that_others_may_read_is_warned_of_and_never_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), HookServer() as server:
        post(server, secret_file=secret_file(tmp_path, mode=0o644))
    assert f"others may read or change {tmp_path}/secret (mode 644); chmod 600 it" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "as one line"),
        ("two\nlines", "as one line"),
        ("x" * 5000, "as one line"),
        ("whsec_???", "not base64"),
    ],
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    settings = WebhookSettings(url="http://a", secret_file=secret_file(tmp_path, text))
    with pytest.raises(SinkError, match=f"secret_file: .*{message}"):
        settings.open()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"url": ""}, "http:// or https://"),
        ({"url": "ftp://a"}, "http:// or https://"),
        ({"url": "http://"}, "http:// or https://"),
        ({"url": "http://a/b c"}, "must not hold spaces"),
        ({"url": "http://a/\r\nx: y"}, "must not hold spaces, line breaks"),
        ({"url": "http://a/灯"}, "letters beyond ASCII"),
        ({"url": "http://user:secret@a/"}, "must not hold a user or password"),
        ({"url": "http://a:99999/"}, "[Pp]ort"),
        ({"url": "http://a", "ca_file": "/ca"}, "ca_file needs a url"),
        ({"url": "http://a", "secret_file": "s"}, "whole path"),
        ({"url": "http://a", "timeout_seconds": 61.0}, "0 < timeout_seconds <= 60"),
        ({"url": "http://a", "retries": 11}, "0 <= retries <= 10"),
    ],
)
def test_senseless_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WebhookSettings(**values)  # type: ignore[arg-type]


def test_a_sink_text_is_the_url() -> None:
    assert parse_sink("webhook:http://a:8/b?c") == WebhookSettings(url="http://a:8/b?c")
