"""The transcribe sink against a real speech-to-text server: what it sends, and what goes wrong."""

import threading
from pathlib import Path

import numpy as np
import pytest

from edgekws.dispatch.endpoint import Endpoint
from edgekws.dispatch.sink import parse_sink
from edgekws.dispatch.tap import HELD_SECONDS, Tap
from edgekws.dispatch.transcribe import TranscribeSettings, TranscribeSink
from edgekws.errors import UsageError
from edgekws.events import Block, Detection, Dispatch, Pcm
from tests.speech_service import SpeechService, unreachable

PATIENCE_SECONDS = 30.0
RATE = 16_000
BLOCK = 1_280
HEARD_AT = 2 * RATE  # where the detection is, in `room`
HOSTILE = "$(reboot); `id`\n'quoted' \"{label}\" \x1b[31m && rm -rf /"


def room(*spoken_seconds: tuple[float, float], seconds: float) -> Pcm:
    """Return a quiet room with somebody speaking from one second to another."""
    noise = np.random.default_rng(3).normal(size=round(seconds * RATE))
    loud = np.zeros(len(noise))
    for start, end in spoken_seconds:
        loud[round(start * RATE) : round(end * RATE)] = 1
    return (noise * np.where(loud, 6_000, 60)).clip(-32768, 32767).astype(np.int16)


def detection(sample: int = HEARD_AT, label: str = "hey you") -> Detection:
    return Detection(7, label, 0.9, sample, sample / RATE)


def settings(uri: str, **values: object) -> TranscribeSettings:
    return TranscribeSettings(uri=uri, send_audio=True, **values)  # type: ignore[arg-type]


def hear(sink: TranscribeSink, pcm: Pcm, *, start: int = 0) -> None:
    for at in range(0, len(pcm), BLOCK):
        sink.hear(Block(pcm[at : at + BLOCK], start + at))


def handed_over(service: SpeechService, pcm: Pcm, **values: object) -> Dispatch:
    sink = settings(service.uri, **values).open()
    hear(sink, pcm)
    return sink.send(detection())


COMMAND = room((1.5, 2.0), (2.4, 3.4), seconds=5)  # a wake word, a pause, a command


def test_the_service_hears_from_before_the_detection_to_the_silence() -> None:
    with SpeechService() as service:
        result = handed_over(service, COMMAND, language="en")
    assert result == Dispatch(7, "hey you", "transcribe", "done", '"turn on the light"')
    (heard,) = service.heard
    assert (heard.language, heard.rate, heard.ended) == ("en", RATE, True)
    begin = HEARD_AT - RATE // 2
    assert np.array_equal(heard.pcm, COMMAND[begin : begin + len(heard.pcm)])
    end_seconds = (begin + len(heard.pcm)) / RATE
    assert 3.4 + 0.8 <= end_seconds < 3.4 + 0.8 + 0.2


def test_audio_that_comes_later_is_sent_as_it_comes() -> None:
    pcm = room((1.5, 2.0), (2.4, 3.4), seconds=6)
    with SpeechService() as service:
        sink = settings(service.uri).open()
        hear(sink, pcm[: HEARD_AT + BLOCK])
        results: list[Dispatch] = []
        thread = threading.Thread(target=lambda: results.append(sink.send(detection())))
        thread.start()
        hear(sink, pcm[HEARD_AT + BLOCK :], start=HEARD_AT + BLOCK)
        thread.join(PATIENCE_SECONDS)
    assert [each.detail for each in results] == ['"turn on the light"']
    begin = HEARD_AT - RATE // 2
    (heard,) = service.heard
    assert np.array_equal(heard.pcm, pcm[begin : begin + len(heard.pcm)])


def test_who_does_not_stop_speaking_is_cut_off() -> None:
    with SpeechService() as service:
        assert handed_over(service, room((1.5, 5), seconds=5), max_seconds=1.0).status == "done"
    assert len(service.heard[0].pcm) == pytest.approx(1.5 * RATE, abs=BLOCK)


def test_who_says_nothing_is_not_waited_for() -> None:
    with SpeechService(text="") as service:
        result = handed_over(service, room((1.5, 2.0), seconds=5), start_seconds=1.0)
    assert (result.status, result.detail) == ("done", "nothing was understood")
    assert len(service.heard[0].pcm) == pytest.approx(1.5 * RATE, abs=BLOCK)


def test_a_program_gets_the_transcript_as_one_argument(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = 'printf "%s|%s|%s" "$2" "$3" "$EDGEKWS_TRANSCRIPT" > "$1"'
    argv = ("sh", "-c", script, "sh", str(out), "{transcript}", "{label}")
    with SpeechService(text=HOSTILE) as service:
        result = handed_over(service, COMMAND, argv=argv)
    text = "$(reboot); `id` 'quoted' \"{label}\" [31m && rm -rf /"
    assert out.read_text() == f"{text}|hey you|{text}"
    assert (result.status, result.exit_code) == ("done", 0)
    assert result.detail == f'"{text}": exit code 0'


@pytest.mark.parametrize(
    ("manner", "status", "detail"),
    [
        ("error", "failed", "it says: out of memory"),
        ("hang up", "failed", "it hung up without a transcript"),
        ("say much", "failed", "a line of more than 16384 bytes"),
        ("say nothing", "timeout", "took too long"),
    ],
)
def test_a_service_that_fails_is_a_failed_dispatch(manner: str, status: str, detail: str) -> None:
    with SpeechService(manner=manner) as service:  # type: ignore[arg-type]
        patience = 1.0 if status == "timeout" else PATIENCE_SECONDS
        result = handed_over(service, COMMAND, timeout_seconds=patience)
    assert result.status == status
    assert detail in result.detail
    assert service.uri in result.detail


def test_no_service_at_all_is_a_failed_dispatch() -> None:
    sink = settings(unreachable()).open()
    hear(sink, COMMAND)
    result = sink.send(detection())
    assert result.status == "failed"
    assert "refused" in result.detail


def test_a_detection_whose_audio_is_gone_is_a_failed_dispatch() -> None:
    with SpeechService() as service:
        sink = settings(service.uri).open()
        hear(sink, room(seconds=4), start=30 * RATE)
        result = sink.send(detection())
    assert result.status == "failed"
    assert "not held any more" in result.detail
    assert not any(each.audio for each in service.heard)


def test_a_gap_in_the_audio_ends_the_utterance() -> None:
    tap = Tap()
    tap.push(Block(COMMAND[:BLOCK], 0))
    following = tap.follow(0, lead_seconds=0.0)
    assert next(following).end == BLOCK
    tap.push(Block(COMMAND[:BLOCK], 10 * BLOCK))
    assert list(following) == []


def test_only_the_newest_seconds_are_held() -> None:
    tap = Tap()
    for at in range(0, 20 * RATE, BLOCK):
        tap.push(Block(np.zeros(BLOCK, np.int16), at))
    assert len(tap.before(20 * RATE)) == pytest.approx(HELD_SECONDS * RATE, abs=BLOCK)


def test_closing_ends_a_hand_over_that_waits_for_audio() -> None:
    with SpeechService() as service:
        sink = settings(service.uri).open()
        hear(sink, COMMAND[: HEARD_AT + BLOCK])
        results: list[Dispatch] = []
        thread = threading.Thread(target=lambda: results.append(sink.send(detection())))
        thread.start()
        sink.close()
        thread.join(PATIENCE_SECONDS)
    assert [each.detail for each in results] == ["edgekws is closing"]


def test_a_click_is_not_speech() -> None:
    endpoint = Endpoint(room(seconds=2), sample_rate=RATE, silence_seconds=0.5, start_seconds=2.0)
    assert not endpoint.push(room((0.5, 0.6), seconds=1.5))
    assert endpoint.push(room(seconds=0.6))


@pytest.mark.parametrize("level", [0.0, 1.0, 100.0, 1_000.0])
def test_the_room_may_be_of_any_level(level: float) -> None:
    def at_level(pcm: Pcm) -> Pcm:
        return (pcm / 60 * level).clip(-32768, 32767).astype(np.int16)

    speech = room((0.0, 1.0), seconds=1.0)
    quiet = at_level(room(seconds=2))
    endpoint = Endpoint(quiet, sample_rate=RATE, silence_seconds=0.5, start_seconds=5.0)
    assert not endpoint.push(speech)
    assert endpoint.push(at_level(room(seconds=0.6)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uri": "tcp://a:1"}, "send_audio = true"),
        ({"uri": "tcp://a:1", "send_audio": False}, "send_audio = true"),
        ({"uri": "http://a:1", "send_audio": True}, "write tcp://HOST:PORT"),
        ({"uri": "tcp://a:1", "send_audio": True, "language": "e n"}, "language needs"),
        ({"uri": "tcp://a:1", "send_audio": True, "max_seconds": 0.0}, "0 < max_seconds <= 60"),
        ({"uri": "tcp://a:1", "send_audio": True, "silence_seconds": 61.0}, "silence_seconds"),
        ({"uri": "tcp://a:1", "send_audio": True, "argv": ("{label}",)}, "takes no placeholder"),
    ],
)
def test_senseless_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TranscribeSettings(**values)  # type: ignore[arg-type]


def test_a_sink_text_cannot_make_audio_leave() -> None:
    with pytest.raises(UsageError, match=r"set up in listen\.toml only"):
        parse_sink("transcribe:tcp://a:1")
