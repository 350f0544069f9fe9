"""A real Wyoming speech-to-text server, by the `wyoming` package, that keeps what it was sent."""

import asyncio
import socket
import threading
from dataclasses import dataclass, field
from typing import Final, Literal, Self

import numpy as np
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.server import AsyncEventHandler, AsyncTcpServer

from edgekws.events import Pcm
from tests.mosquitto import free_port

PATIENCE_SECONDS: Final = 30.0
LOOP_ROUNDS: Final = 10  # more than it takes to accept a client that has already gone
Manner = Literal["well", "error", "hang up", "say nothing", "say much"]


@dataclass
class Heard:
    """One utterance as the server got it."""

    language: str | None = None
    rate: int = 0
    audio: bytes = b""
    ended: bool = False

    @property
    def pcm(self) -> Pcm:
        return np.frombuffer(self.audio, np.int16)


@dataclass
class SpeechService:
    """Answers every utterance with `text`, in some manner; runs in a thread of its own."""

    text: str = "turn on the light"
    manner: Manner = "well"
    heard: list[Heard] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = AsyncTcpServer("127.0.0.1", self.port)
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._run(self._server.start(lambda reader, writer: _Handler(reader, writer, self)))
        return self

    def __exit__(self, *fault: object) -> None:
        self._run(self._wind_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    async def _wind_up(self) -> None:
        """Leave nothing open: neither connections nor what works for them."""
        for _ in range(LOOP_ROUNDS):
            await asyncio.sleep(0)
        await self._server.stop()
        for writer in self.writers:
            writer.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=PATIENCE_SECONDS)
        await asyncio.sleep(0)  # what was aborted is closed in the loop's next round

    def _run(self, work: "asyncio.Future[None] | object") -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)  # type: ignore[arg-type]


class _Handler(AsyncEventHandler):
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, owner: SpeechService
    ) -> None:
        super().__init__(reader, writer)
        self._owner, self._heard = owner, Heard()
        owner.heard.append(self._heard)
        owner.writers.append(writer)

    async def handle_event(self, event: Event) -> bool:
        heard = self._heard
        if Transcribe.is_type(event.type):
            heard.language = Transcribe.from_event(event).language
        elif AudioStart.is_type(event.type):
            heard.rate = AudioStart.from_event(event).rate
        elif AudioChunk.is_type(event.type):
            heard.audio += AudioChunk.from_event(event).audio
        elif AudioStop.is_type(event.type):
            heard.ended = True
            return await self._answer()
        return True

    async def _answer(self) -> bool:
        manner = self._owner.manner
        if manner == "error":
            await self.write_event(Error("out of\nmemory").event())
        elif manner == "say much":
            self.writer.write(b"x" * 1_000_000)
        elif manner == "well":
            await self.write_event(Transcript(self._owner.text).event())
        return manner != "hang up"


def unreachable() -> str:
    """Return a URI at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
