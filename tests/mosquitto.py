"""A real MQTT broker for a test, which can be killed and started again, and clients of its own."""

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.certificates import Certificate
from tests.needs import lacking

PATIENCE_SECONDS: Final = 60.0
NOBODY: Final = "$nobody/says/this"
USER: Final = "edgekws"
PASSWORD: Final = "open $(sesame); '\"|&"  # shell metacharacters, which nothing may look at


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as mosquitto_sub saw it."""

    topic: str
    payload: bytes
    retained: bool

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Mosquitto:
    """A broker on a port of its own, with a password, TLS, or neither."""

    def __init__(
        self, folder: Path, *, password: str = "", certificate: Certificate | None = None
    ) -> None:
        for program in ("mosquitto", "mosquitto_sub", "mosquitto_passwd"):
            if shutil.which(program) is None:
                lacking(f"{program} is missing: apt-get install mosquitto mosquitto-clients")
        self.port = free_port()
        self._certificate = certificate
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(self._lines(folder, password)) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the broker and wait until it takes connections."""
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _answers(self.port):
            assert self._process.poll() is None, "the broker ended"
            assert time.monotonic() < deadline, "the broker does not answer"

    def kill(self) -> None:
        """End the broker as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)
            self._process = None

    def publish(self, topic: str, payload: str) -> None:
        """Publish as somebody else."""
        self._run("mosquitto_pub", "-q", "1", "-t", topic, "-m", payload)

    def read(self, topic: str, count: int = 1) -> list[Heard]:
        """Return the next messages of a topic, retained ones first, as a client that comes now."""
        with self.subscribe(topic) as subscriber:
            return [subscriber.next() for _ in range(count)]

    def subscribe(self, topic: str) -> "Subscriber":
        """Return a client that hears the topic from now on."""
        return Subscriber(self._command("mosquitto_sub", topic))

    def _run(self, program: str, *args: str) -> None:
        command = [program, *self._access(), *args]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)

    def _command(self, program: str, topic: str) -> list[str]:
        limit = str(round(PATIENCE_SECONDS))
        wanted = ("-F", "%r %x %t", "-d", "-W", limit, "-q", "1", "-t", topic)
        return [program, *self._access(), *wanted]

    def _access(self) -> list[str]:
        certificate = self._certificate
        tls = [] if certificate is None else ["--cafile", str(certificate.certificate)]
        user = ["-u", USER, "-P", PASSWORD] if "password_file" in self._config.read_text() else []
        return ["-h", "localhost", "-p", str(self.port), *tls, *user]

    def _lines(self, folder: Path, password: str) -> list[str]:
        lines = [f"listener {self.port} localhost", "persistence false", "user root"]
        if self._certificate is not None:
            lines.append(f"certfile {self._certificate.certificate}")
            lines.append(f"keyfile {self._certificate.key}")
        if not password:
            return [*lines, "allow_anonymous true"]
        table = folder / "passwords"
        command = ["mosquitto_passwd", "-b", "-c", str(table), USER, password]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
        return [*lines, "allow_anonymous false", f"password_file {table}"]


class Subscriber:
    """A running mosquitto_sub; it is subscribed when the constructor returns."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            ["stdbuf", "-oL", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        while "SUBACK" not in self._line():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_SECONDS)

    def until(self, payload: bytes) -> list[Heard]:
        """Return the next messages up to one of this payload."""
        heard = [self.next()]
        while heard[-1].payload != payload:
            heard.append(self.next())
        return heard

    def next(self) -> Heard:
        """Return the next message."""
        while not (line := self._line()).startswith(("0 ", "1 ")):
            pass
        retained, payload, topic = line.rstrip("\n").split(" ", 2)
        return Heard(topic, bytes.fromhex(payload), retained == "1")

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "nothing more came, and mosquitto_sub ended"
        return line


def free_port() -> int:
    """Return a port that was free a moment ago, for a server that cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.05)
        return probe.connect_ex(("127.0.0.1", port)) == 0
