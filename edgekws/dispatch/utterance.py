"""One utterance at a speech-to-text service over Wyoming: audio out, text back."""

import socket
import time
from typing import Any, Final

import msgspec

from edgekws.audio.extras import load_extra
from edgekws.dispatch.wire import EventReader, WireError, checked, write_event
from edgekws.events import Block

WRITE_SECONDS: Final = 5.0  # a service that does not read is given up after this
MAX_TEXT: Final = 1_000  # letters of a transcript that are kept


class _Text(msgspec.Struct):
    """The data of a transcript, and of an error."""

    text: str


class Protocol:
    """The event classes of the `wyoming` package, which is an extra."""

    def __init__(self) -> None:
        """Load them, or raise MissingExtraError."""
        purpose = "the transcribe sink"
        self.asr: Any = load_extra("wyoming.asr", extra="wyoming", purpose=purpose)
        self.audio: Any = load_extra("wyoming.audio", extra="wyoming", purpose=purpose)


class Utterance:
    """Sends blocks that follow one another, and then waits for the text.

    Every method raises OSError where the service is lost, TimeoutError where it takes too long.
    """

    def __init__(self, protocol: Protocol, connection: socket.socket, *, language: str) -> None:
        self._protocol, self._connection = protocol, connection
        self._begun = False
        self._write(protocol.asr.Transcribe(language=language or None))

    @property
    def begun(self) -> bool:
        """Whether any audio was sent."""
        return self._begun

    def send(self, block: Block) -> None:
        """Send a block."""
        form = {"rate": block.sample_rate, "width": 2, "channels": 1}
        if not self._begun:
            self._write(self._protocol.audio.AudioStart(**form))
            self._begun = True
        chunk = block.pcm.astype("<i2").tobytes()
        self._write(self._protocol.audio.AudioChunk(audio=chunk, **form))

    def finish(self, timeout_seconds: float) -> str:
        """Say that this was all, and return the transcript as one line; "" where there is none.

        Raises WireError where the service answers with an error, or not with the protocol.
        """
        self._write(self._protocol.audio.AudioStop())
        deadline = time.monotonic() + timeout_seconds
        reader = EventReader(self._connection, idle_seconds=timeout_seconds)
        while (arrived := reader.read()) is not None:
            if arrived.type == "error":
                raise WireError(f"it says: {_line(checked(arrived.data, _Text).text)}")
            if arrived.type == "transcript":
                return _line(checked(arrived.data, _Text).text)
            if time.monotonic() > deadline:
                raise TimeoutError
        raise WireError("it hung up without a transcript")

    def _write(self, event: Any) -> None:
        write_event(self._connection, event.event(), timeout_seconds=WRITE_SECONDS)


def _line(text: str) -> str:
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:MAX_TEXT]
