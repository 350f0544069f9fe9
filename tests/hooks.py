"""A web server on loopback that takes webhooks, well or badly, and keeps what came."""

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

from tests.certificates import Certificate

PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Posted:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class HookServer:
    """Answers each request with the next of `answers`, and with the last one from then on.

    An answer is a status, or "hang" (nothing until the end of the test), "drip" (a byte of the
    head now and then), "endless" (status 400 and a body without end), "cut" (hangs up).
    """

    def __init__(self, *answers: int | str, certificate: Certificate | None = None) -> None:
        self.answers = list(answers) or [200]
        self.posted: list[Posted] = []
        self.arrived = threading.Semaphore(0)
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self._server.server_port}/hook?token=in-the-path"

    def next_answer(self) -> int | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    owner: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.posted.append(Posted(self.path, headers, body))
        answer = self.owner.next_answer()
        self.owner.arrived.release()
        if isinstance(answer, int):
            self._answer(answer)
        elif answer == "hang":
            self.owner.released.wait(PATIENCE_SECONDS)
        elif answer == "drip":
            self._repeat(b"HTTP/1.1 200 OK\r\nx: ", b"y", pause_seconds=0.02)
        elif answer == "endless":
            self._repeat(b"HTTP/1.1 400 Bad\r\n\r\n\x1b[31mno\n", b"o" * 65_536, pause_seconds=0.0)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/elsewhere")
        said = b'{"error": "not today"}'
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _repeat(self, head: bytes, part: bytes, *, pause_seconds: float) -> None:
        """Write the head, and the part over and over until the other side has gone."""
        self.wfile.write(head)
        while not self.owner.released.wait(pause_seconds):
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        del format, args
