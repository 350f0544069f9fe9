"""The sink that posts each detection to a URL, signed as the Standard Webhooks specification says.

https://github.com/standard-webhooks/standard-webhooks: the signature is the HMAC-SHA256 of
"id.timestamp.body", and there are libraries for many languages that verify it.
"""

import base64
import binascii
import hmac
import ssl
import threading
import time
from collections.abc import Mapping
from random import Random
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

import msgspec

from edgekws import __version__
from edgekws.dispatch.http_post import HTTP_PORT, HTTPS_PORT, Poster, Target
from edgekws.dispatch.outcome import (
    CLOSING,
    Outcome,
    check_retries,
    check_timeout,
    to_dispatch,
    try_again,
)
from edgekws.dispatch.private import check_file_name, read_secret
from edgekws.dispatch.tls import client_context
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec

MAX_TIMEOUT_SECONDS: Final = 60.0
SECRET_PREFIX: Final = "whsec_"
_PORTS: Final = {"http": HTTP_PORT, "https": HTTPS_PORT}


class WebhookSettings(Spec, frozen=True):
    """Where to post, with whose secret, for how long, and how often to try again.

    `secret_file` holds one line: "whsec_" and base64, or any text. `ca_file` holds the authority of
    the server's certificate where the system does not know it. `timeout_seconds` is for all of one
    try; `retries` counts the tries after a first one that failed or timed out.
    """

    url: str
    secret_file: str = ""
    ca_file: str = ""
    timeout_seconds: float = 5.0
    retries: int = 2

    def __post_init__(self) -> None:
        scheme = _split(self.url).scheme
        if self.ca_file and scheme != "https":
            raise ValueError("ca_file needs a url that starts with https://")
        check_file_name("secret_file", self.secret_file)
        check_file_name("ca_file", self.ca_file)
        check_timeout(self.timeout_seconds, at_most=MAX_TIMEOUT_SECONDS)
        check_retries(self.retries)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the URL."""
        return cls(url=text)

    def open(self) -> "WebhookSink":
        """Read the files; a server that is not there may come later."""
        return WebhookSink(self)


class WebhookSink:
    """Posts each detection as JSON; the same id at every try, so that the server can tell."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings, *, rng: Random | None = None) -> None:
        self._settings = settings
        self._secret = _read_key(settings.secret_file)
        self._rng = rng or Random()
        self._poster = Poster(_target(settings), settings.timeout_seconds)
        self._stop = threading.Event()

    def send(self, detection: Detection) -> Dispatch:
        """Post, and again after a growing pause, until it succeeds or tries are up."""
        body = msgspec.json.encode(msgspec.to_builtins(detection))
        message_id = f"msg_{self._rng.getrandbits(128):032x}"
        outcome, attempts = try_again(
            lambda: self._post(message_id, body),
            retries=self._settings.retries,
            stop=self._stop,
            rng=self._rng,
        )
        return to_dispatch(detection, self.name, outcome, attempts)

    def close(self) -> None:
        """End a running request; nothing is sent any more."""
        self._stop.set()
        self._poster.abort()

    def _post(self, message_id: str, body: bytes) -> Outcome:
        if self._stop.is_set():
            return CLOSING
        return self._poster.post(body, self._headers(message_id, body))

    def _headers(self, message_id: str, body: bytes) -> Mapping[str, str]:
        stamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "user-agent": f"edgekws/{__version__}",
            "connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
        }
        if not self._secret:
            return headers
        return headers | {"webhook-signature": sign(self._secret, message_id, stamp, body)}


def sign(secret: bytes, message_id: str, stamp: str, body: bytes) -> str:
    """Return the value of the webhook-signature header."""
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def _read_key(name: str) -> bytes:
    if not name:
        return b""
    text = read_secret("secret_file", name)
    if not text.startswith(SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise SinkError(f"secret_file: {name}: not base64 after {SECRET_PREFIX}") from error


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("url needs to start with http:// or https:// and a host")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("url must not hold spaces, line breaks or letters beyond ASCII; encode it")
    if "@" in parts.netloc:
        raise ValueError("url must not hold a user or password; the server can check a signature")
    if parts.port == 0:
        raise ValueError("need 0 < port < 65536 in url")
    return parts


def _target(settings: WebhookSettings) -> Target:
    parts = _split(settings.url)
    context: ssl.SSLContext | None = None
    if parts.scheme == "https":
        context = client_context(settings.ca_file)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    assert parts.hostname is not None, "checked when the settings were made"
    return Target(parts.hostname, parts.port or _PORTS[parts.scheme], path, context)
