"""One client's conversation with the wake word service, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wyoming.info import Info

from edgekws.dispatch.wire import Arrived, WireError
from edgekws.runtime.wiring import find_bundle, open_device
from edgekws.service.description import describe
from edgekws.service.pool import Pool
from edgekws.service.session import Session
from tests.bundles import make_bundle, noise

FORM = {"rate": 16_000, "width": 2, "channels": 1}
TYPES = ["describe", "ping", "detect", "audio-start", "audio-chunk", "audio-stop", "transcribe"]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([1, 2, 8_000, 16_000, 44_100])
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.text(max_size=5) | st.integers(), max_size=3)
)
KEYS = st.sampled_from(["rate", "width", "channels", "timestamp", "names", "text", "x"])
EVENTS = st.builds(
    Arrived, st.sampled_from(TYPES), st.dictionaries(KEYS, VALUES), st.binary(max_size=2_048)
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> tuple[Info, Pool]:
    path: Path = make_bundle(tmp_path_factory.mktemp("session") / "tones")
    bundle = find_bundle(path)
    return describe(bundle.manifest), Pool(lambda: open_device(bundle).detector, size=1)


@pytest.fixture
def session(service: tuple[Info, Pool]) -> Iterator[Session]:
    session = Session(*service)
    yield session
    session.close()


def test_audio_needs_no_start(session: Session) -> None:
    chunk = Arrived("audio-chunk", dict(FORM), noise().tobytes())
    assert session.answer(chunk) == []
    assert [event.type for event in session.answer(Arrived("audio-stop"))] == ["not-detected"]
    assert session.answer(Arrived("audio-stop")) == []


def test_a_stream_has_a_detector_to_itself(service: tuple[Info, Pool], session: Session) -> None:
    session.answer(Arrived("audio-start", dict(FORM)))
    other = Session(*service)
    with pytest.raises(WireError, match="all detectors are in use"):
        other.answer(Arrived("audio-start", dict(FORM)))
    session.answer(Arrived("audio-stop"))
    other.answer(Arrived("audio-start", dict(FORM)))
    other.close()


def test_audio_of_eight_bits_is_refused(session: Session) -> None:
    with pytest.raises(WireError, match="width"):
        session.answer(Arrived("audio-start", {**FORM, "width": 1}))


@given(st.lists(EVENTS, max_size=6))
@settings(max_examples=60)
def test_no_event_at_all_raises_anything_else(
    service: tuple[Info, Pool], events: list[Arrived]
) -> None:
    session = Session(*service)
    try:
        for event in events:
            session.answer(event)
    except WireError:
        return
    finally:
        session.close()
