"""The host's side of the conversation: greets, keeps a session alive, gets one command through.

Pure: bytes and milliseconds of a monotonic clock go in, bytes come out. `driver` gives it a port.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edgekws.link.frame import Deframer, Frame, encode
from edgekws.link.messages import (
    HIGHEST_VERSION,
    LOWEST_VERSION,
    Flag,
    Header,
    Heartbeat,
    Hello,
    Message,
    Nack,
    Reason,
    State,
    Type,
    pack,
    payload_size,
    type_of,
    unpack,
)
from edgekws.link.orders import Flight, Order, Outcome, Status, Timing
from edgekws.link.refusals import objection_of, objection_to, refusal


@dataclass(frozen=True, slots=True)
class Notice:
    """Something for a log: the link is up, is down, was refused, or the board did not hear us."""

    kind: Literal["up", "down", "refused", "safe"]
    detail: str


class Link:
    """One board: `submit` an order, `feed` and `poll` until `outcome` is there.

    `nonces` gives a random u32 for each session that is asked for.
    """

    def __init__(
        self, labels_hash: int, nonces: Callable[[], int], timing: Timing | None = None
    ) -> None:
        self._labels_hash, self._nonces = labels_hash, nonces
        self._timing = timing or Timing()
        self._deframer = Deframer()
        self._out = bytearray()
        self._notices: list[Notice] = []
        self._flight: Flight | None = None
        self._granted = False
        self._session = self._commands = self._sequence = self._strange = 0
        self._heard_ms = self._beat_due_ms = 0
        self.outcome: Outcome | None = None
        self.board: Hello | None = None
        """What the board said of itself when it granted the session."""
        self.state: State | None = None
        self.up = False
        """Whether the board was heard within `silence_ms`."""
        self.trouble = ""
        """Why the board will not talk to us, where it said so."""
        self._greet(0)

    @property
    def faults(self) -> int:
        """How often bytes came that were no frame."""
        return self._deframer.faults + self._strange

    def submit(self, order: Order, now_ms: int) -> None:
        """Begin to get an order through; the one before has to have its outcome."""
        assert self._flight is None, "one order at a time"
        self.outcome = None
        self._commands += 1
        self._flight = Flight(order, self._commands, now_ms)
        if self.trouble:
            self._land("failed", self.trouble)

    def cancel(self, detail: str, now_ms: int) -> None:
        """Fail the order under way, if there is one."""
        if self._flight is not None:
            self._give_up("failed", detail, now_ms)

    def lose(self, detail: str, now_ms: int) -> None:
        """Take note that the wire is gone; what comes over the next one begins anew."""
        self._deframer.feed(b"\0")
        self._out.clear()
        self._fall(detail, now_ms)

    def feed(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the wire, in any portions."""
        for frame in self._deframer.feed(data):
            if frame.header.flags & Flag.FROM_BOARD:
                self._on_frame(frame, now_ms)

    def poll(self, now_ms: int) -> None:
        """Look at the clock, and queue what is due."""
        self._expire(now_ms)
        if self.up and now_ms - self._heard_ms >= self._timing.silence_ms:
            self._fall(f"nothing heard for {self._timing.silence_ms} ms", now_ms)
        if not self._granted:
            self._say_hello(now_ms)
            return
        if now_ms >= self._beat_due_ms:
            self._beat_due_ms = now_ms + self._heartbeat_ms()
            self._send(Heartbeat())
        if self._flight is not None and now_ms >= self._flight.due_ms:
            self._send_command(self._flight, now_ms)

    def due_ms(self) -> int:
        """Return when `poll` has something to do again."""
        times = [self._beat_due_ms if self._granted else self._hello_due_ms]
        if self._flight is not None:
            times.append(self._flight.end_ms)
            times += [self._flight.due_ms] if self._granted else []
        return min(times)

    def take_output(self) -> bytes:
        """Return what is to be written, and forget it."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def take_notices(self) -> list[Notice]:
        """Return what happened since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def _heartbeat_ms(self) -> int:
        asked = self.board.timeout_ms // 5 if self.board else self._timing.heartbeat_ms
        return max(10, min(self._timing.heartbeat_ms, asked))

    def _greet(self, now_ms: int) -> None:
        """Ask for a new session from the next poll on."""
        self._granted = False
        self._nonce = self._nonces()
        self._hello_due_ms, self._hello_pause_ms = now_ms, self._timing.first_hello_ms

    def _say_hello(self, now_ms: int) -> None:
        if now_ms < self._hello_due_ms:
            return
        self._hello_due_ms = now_ms + self._hello_pause_ms
        self._hello_pause_ms = min(2 * self._hello_pause_ms, self._timing.longest_hello_ms)
        hello = Hello(LOWEST_VERSION, HIGHEST_VERSION, 0, 0, 0, self._labels_hash, self._nonce)
        self._send(hello)

    def _send_command(self, flight: Flight, now_ms: int) -> None:
        if flight.tries >= self._timing.tries:
            self._give_up("failed", f"no answer to {flight.tries} tries", now_ms)
            return
        flags = Flag.REPEAT if flight.tries else Flag(0)
        command = flight.next_try(now_ms, self._timing)
        self._send(command, command=flight.command, flags=flags)

    def _send(self, message: Message, *, command: int = 0, flags: int = 0) -> None:
        self._sequence = (self._sequence + 1) % 256
        payload = pack(message)
        header = Header(
            version=LOWEST_VERSION,
            type=type_of(message),
            flags=flags,
            sequence=self._sequence,
            session=self._session if self._granted else 0,
            command=command,
            length=len(payload),
        )
        self._out += encode(Frame(header, payload))

    def _expire(self, now_ms: int) -> None:
        if self._flight is not None and now_ms >= self._flight.end_ms:
            why = "no answer" if self.up else "the link is down"
            limit = self._flight.order.time_to_live_ms
            self._give_up("timeout", f"{why} within {limit} ms", now_ms)

    def _give_up(self, status: Status, detail: str, now_ms: int) -> None:
        """End an order without an answer, and its session: what is on the wire of it is void."""
        assert self._flight is not None
        sent = self._flight.tries > 0
        self._land(status, detail)
        if sent:
            self._greet(now_ms)

    def _land(self, status: Status, detail: str) -> None:
        assert self._flight is not None
        self.outcome = Outcome(status, detail, self._flight.tries)
        self._flight = None

    def _fall(self, detail: str, now_ms: int) -> None:
        """Go down; the same nonce finds the session again if the board still has it."""
        if self.up:
            self._notices.append(Notice("down", detail))
        self.up = self._granted = False
        self._hello_due_ms, self._hello_pause_ms = now_ms, self._timing.first_hello_ms

    def _on_frame(self, frame: Frame, now_ms: int) -> None:
        if not _is_understood(frame):
            self._strange += 1
            return
        match frame.header.type:
            case Type.HELLO:
                self._on_hello(frame.header, unpack(Hello, frame.payload), now_ms)
            case Type.NACK:
                self._on_nack(frame.header, unpack(Nack, frame.payload), now_ms)
            case _ if self._granted and frame.header.session == self._session:
                self._heard_ms = now_ms
                self._on_session_frame(frame)

    def _on_session_frame(self, frame: Frame) -> None:
        if frame.header.type == Type.STATE:
            self._on_state(unpack(State, frame.payload))
        elif frame.header.type == Type.ACK and self._answers(frame.header):
            self._land("done", "carried out by the board")

    def _on_state(self, state: State) -> None:
        if state.safe:
            detail = f"the board did not hear us and drove its safe state, loss {state.losses}"
            self._notices.append(Notice("safe", detail))
        self.state = state

    def _answers(self, header: Header) -> bool:
        """Whether a frame is about the order under way."""
        flight = self._flight
        ours = flight is not None and flight.tries > 0 and header.command == flight.command
        return ours and header.session == self._session

    def _on_hello(self, header: Header, hello: Hello, now_ms: int) -> None:
        if header.session == 0:
            self._on_boot(hello, now_ms)
        elif hello.nonce != self._nonce or self._granted:
            return  # late, or for another host
        elif objection := objection_to(hello, self._labels_hash):
            self._refused(objection)
        else:
            self._grant(header.session, hello, now_ms)

    def _grant(self, session: int, hello: Hello, now_ms: int) -> None:
        if self._flight is not None and self._flight.tries and session != self._session:
            self._land("failed", "the board restarted before it answered")
        if not self.up or self.board is None or self.board.boots != hello.boots:
            self._notices.append(Notice("up", f"build={hello.build} boots={hello.boots}"))
        self._session, self._granted, self.board = session, True, hello
        self._heard_ms = self._beat_due_ms = now_ms
        self.up, self.trouble = True, ""

    def _on_boot(self, hello: Hello, now_ms: int) -> None:
        """Greet a board that has just started; one that we know already sent this long ago."""
        if self.board is None or hello.boots != self.board.boots:
            self._greet(now_ms)

    def _on_nack(self, header: Header, nack: Nack, now_ms: int) -> None:
        if nack.reason in (Reason.VERSION, Reason.LABELS) and not self._granted:
            self._refused(objection_of(nack, self._labels_hash))
        elif nack.reason == Reason.SESSION and self._granted and header.session == self._session:
            self._greet(now_ms)
        elif self._answers(header):
            self._heard_ms = now_ms
            self._land("failed", refusal(nack))

    def _refused(self, trouble: str) -> None:
        if trouble != self.trouble:
            self._notices.append(Notice("refused", trouble))
        self.trouble = trouble
        if self._flight is not None:
            self._land("failed", trouble)


def _is_understood(frame: Frame) -> bool:
    """Whether a frame has all that its type needs, in a version we speak or that never changes."""
    frozen = frame.header.type in (Type.HELLO, Type.NACK)
    spoken = LOWEST_VERSION <= frame.header.version <= HIGHEST_VERSION
    return (spoken or frozen) and len(frame.payload) >= payload_size(frame.header.type)
