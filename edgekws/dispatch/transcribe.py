"""The sink that hands what is said after a wake word to a speech-to-text service, over Wyoming.

It sends audio to another machine, which nothing else here does: only where `send_audio` is true.
"""

import re
import threading
import time
from typing import Final, Self

from edgekws.dispatch.child import run_child
from edgekws.dispatch.endpoint import Endpoint
from edgekws.dispatch.outcome import CLOSING, Outcome, check_timeout, to_dispatch
from edgekws.dispatch.placeholders import as_environment, check_argv, fill, values_of
from edgekws.dispatch.tap import Tap
from edgekws.dispatch.tcp import Address, Line
from edgekws.dispatch.utterance import Protocol, Utterance
from edgekws.dispatch.wire import WireError
from edgekws.events import Block, Detection, Dispatch
from edgekws.specs import Spec

PRE_ROLL_SECONDS: Final = 0.5
CONNECT_SECONDS: Final = 5.0
PROGRAM_SECONDS: Final = 10.0
MAX_SECONDS: Final = 60.0
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9_-]{0,32}")


class TranscribeSettings(Spec, frozen=True):
    """Which service hears what follows the wake word, for how long, and what is done with the text.

    It hears from half a second before the detection until `silence_seconds` of silence, or until
    `max_seconds` are over, or nobody speaks for `start_seconds`; it then has `timeout_seconds` to
    answer. A program in `argv` is run with {transcript} and the detection's values in its items.
    """

    uri: str
    send_audio: bool = False
    language: str = ""
    max_seconds: float = 10.0
    start_seconds: float = 3.0
    silence_seconds: float = 0.8
    timeout_seconds: float = 15.0
    argv: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.send_audio:
            raise ValueError("this sink sends audio to its uri; say so with send_audio = true")
        Address.parse(self.uri)
        if not _LANGUAGE.fullmatch(self.language):
            raise ValueError('language needs a code such as "en" or "zh-CN"')
        for key in ("max_seconds", "start_seconds", "silence_seconds"):
            if not 0 < getattr(self, key) <= MAX_SECONDS:
                raise ValueError(f"need 0 < {key} <= {MAX_SECONDS:g}")
        check_timeout(self.timeout_seconds, at_most=MAX_SECONDS)
        if self.argv:
            check_argv(self.argv)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Refuse: a wish to send audio is written down in a listen.toml, or not at all."""
        del text
        raise ValueError("transcribe sends audio, so it is set up in listen.toml only")

    def open(self) -> "TranscribeSink":
        """Load the protocol; a service that is not there may come later."""
        return TranscribeSink(self)


class TranscribeSink:
    """Follows the audio from a detection on, and says what the service understood."""

    name = "transcribe"

    def __init__(self, settings: TranscribeSettings) -> None:
        self._settings = settings
        self._protocol = Protocol()
        self._address = Address.parse(settings.uri)
        self._tap, self._line = Tap(), Line()
        self._stop = threading.Event()

    def hear(self, block: Block) -> None:
        """Take the next block of what is heard."""
        self._tap.push(block)

    def send(self, detection: Detection) -> Dispatch:
        """Hand the audio over, wait for the text, and run the program where there is one."""
        try:
            text = self._transcribe(detection)
        except (OSError, WireError) as error:
            outcome = self._complaint(error)
        else:
            outcome = self._act(detection, text)
        return to_dispatch(detection, self.name, outcome)

    def close(self) -> None:
        """End a hand-over and a running program."""
        self._stop.set()
        self._tap.close()
        self._line.hang_up()

    def _transcribe(self, detection: Detection) -> str:
        connection = self._line.connect(self._address, time.monotonic() + CONNECT_SECONDS)
        try:
            language = self._settings.language
            utterance = Utterance(self._protocol, connection, language=language)
            self._stream(utterance, detection.sample)
            if not utterance.begun:
                raise WireError("the audio of the detection is not held any more")
            return utterance.finish(self._settings.timeout_seconds)
        finally:
            self._line.let_go()
            connection.close()

    def _stream(self, utterance: Utterance, sample: int) -> None:
        """Send audio from before the detection until somebody has finished speaking."""
        endpoint: Endpoint | None = None
        for block in self._tap.follow(sample, lead_seconds=PRE_ROLL_SECONDS):
            if block.start > sample and not utterance.begun:
                return
            utterance.send(block)
            endpoint = endpoint or self._endpoint(sample, block.sample_rate)
            over = endpoint.push(block.pcm[max(0, sample - block.start) :])
            if over or block.end - sample >= self._settings.max_seconds * block.sample_rate:
                return

    def _endpoint(self, sample: int, sample_rate: int) -> Endpoint:
        return Endpoint(
            self._tap.before(sample),
            sample_rate=sample_rate,
            silence_seconds=self._settings.silence_seconds,
            start_seconds=self._settings.start_seconds,
        )

    def _act(self, detection: Detection, text: str) -> Outcome:
        if not text:
            return Outcome("done", "nothing was understood")
        if not self._settings.argv:
            return Outcome("done", f'"{text}"')
        values = {**values_of(detection), "transcript": text}
        ended = run_child(
            [fill(item, values) for item in self._settings.argv],
            variables=as_environment(values),
            timeout_seconds=PROGRAM_SECONDS,
            stop=self._stop,
        )
        return Outcome(ended.status, f'"{text}": {ended.detail}', ended.exit_code)

    def _complaint(self, error: Exception) -> Outcome:
        if self._stop.is_set():
            return CLOSING
        if isinstance(error, TimeoutError):
            return Outcome("timeout", f"{self._address.uri} took too long")
        return Outcome("failed", f"{self._address.uri}: {error}")
