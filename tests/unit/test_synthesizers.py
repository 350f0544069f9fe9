"""What every synthesizer does alike, and what Flite and Piper do in their own way."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.errors import DataError, MissingExtraError, UsageError
from edgekws.train.synth import (
    SAMPLE_RATE,
    SYNTHESIZERS,
    Delivery,
    Synthesizer,
    open_synthesizer,
    synthesize_words,
)
from edgekws.train.synth_flite import HERTZ
from tests.commands import ROOT
from tests.needs import lacking
from tests.piper_voices import write_voice

ROUNDING: Final = 2  # of int16: the peak is set in float32 and rounded
SPOKEN: Final = (0.2, 3.0)  # seconds of "lights on", in any voice


@pytest.fixture(scope="module")
def piper_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("piper") is None:
        lacking("needs piper-tts: pip install 'edgekws[piper]'")
    return write_voice(tmp_path_factory.mktemp("piper") / "en_US-beep-low.onnx", speakers=3)


@pytest.fixture(params=SYNTHESIZERS)
def voices(request: pytest.FixtureRequest) -> tuple[str, Sequence[str]]:
    """The name of each synthesizer in turn, and the voice files it needs."""
    if request.param == "flite" and shutil.which("flite") is None:
        lacking("needs Flite: apt-get install flite")
    if request.param != "piper":
        return request.param, ()
    return request.param, (str(request.getfixturevalue("piper_voice")),)


@pytest.fixture
def synthesizer(voices: tuple[str, Sequence[str]]) -> Synthesizer:
    return open_synthesizer(voices[0], voices=voices[1])


def test_every_voice_says_the_text_at_16_khz_and_its_level(synthesizer: Synthesizer) -> None:
    names = synthesizer.voices("en")
    assert len(set(names)) == len(names) > 1
    for voice in names:
        assert voice.startswith("en+")
        pcm = synthesizer.say("lights on", voice=voice, delivery=Delivery(peak_db=-12.0))
        assert pcm.dtype == np.int16
        assert SPOKEN[0] < len(pcm) / SAMPLE_RATE < SPOKEN[1], voice
        assert abs(int(np.abs(pcm).max()) - 32767 * 10 ** (-12 / 20)) < ROUNDING


def test_voices_differ(synthesizer: Synthesizer) -> None:
    said = [synthesizer.say("lights on", voice=voice) for voice in synthesizer.voices("en")]
    assert len({pcm.tobytes() for pcm in said}) == len(said)


def test_a_faster_delivery_is_shorter(synthesizer: Synthesizer) -> None:
    voice = synthesizer.voices("en")[0]
    slow, fast = (
        synthesizer.say("lights on", voice=voice, delivery=Delivery(rate_wpm=rate))
        for rate in (120, 240)
    )
    assert len(slow) > 1.3 * len(fast)


def test_a_region_of_a_language_has_its_voices(synthesizer: Synthesizer) -> None:
    assert len(synthesizer.voices("en-us")) == len(synthesizer.voices("en"))


def test_a_language_and_a_voice_that_it_has_not_are_named(synthesizer: Synthesizer) -> None:
    with pytest.raises(DataError, match="voice"):
        synthesizer.voices("xx")
    with pytest.raises(DataError, match="nobody"):
        synthesizer.say("lights on", voice="en+nobody")


@pytest.mark.parametrize("text", ["", "…"])
def test_a_text_without_words_is_refused(synthesizer: Synthesizer, text: str) -> None:
    with pytest.raises(DataError, match="says nothing"):
        synthesizer.say(text, voice=synthesizer.voices("en")[0])


def test_a_seed_gives_the_same_takes_in_every_fresh_process(
    voices: tuple[str, Sequence[str]],
) -> None:
    name, files = voices
    program = (
        "import hashlib; from edgekws.train.synth import open_synthesizer as o, "
        f"synthesize_words as s; takes = s(['tea'], 'en', takes=5, seed=3, "
        f"synthesizer=o({name!r}, voices={files!r})); "
        "print(*(f'{who}:{hashlib.sha256(pcm.tobytes()).hexdigest()}' for who, pcm in takes))"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout.split()
        for _ in range(2)
    )
    assert first == second
    assert len({take.partition(":")[2] for take in first}) == 5
    assert len(hashlib.sha256().hexdigest()) == len(first[0].partition(":")[2])


def test_an_unknown_synthesizer_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="'festival'; there is espeak, flite, piper"):
        open_synthesizer("festival")


def test_espeak_keeps_to_the_voices_named() -> None:
    kept = open_synthesizer(voices=("f3", "m1"))
    assert kept.voices("de") == ("de+f3", "de+m1")
    with pytest.raises(DataError, match="no variant 'f99'"):
        open_synthesizer(voices=("f99",))


def test_flite_keeps_to_the_voices_named_and_to_english() -> None:
    if shutil.which("flite") is None:
        lacking("needs Flite: apt-get install flite")
    kept = open_synthesizer("flite", voices=("slt",))
    assert kept.voices("en-gb") == ("en+slt",)
    with pytest.raises(DataError, match="'de', it speaks en"):
        kept.voices("de")
    with pytest.raises(DataError, match="no voice 'nobody'; there is awb"):
        open_synthesizer("flite", voices=("nobody",))
    with pytest.raises(DataError, match="says nothing"):
        kept.say("开灯", voice="en+slt")


def test_flite_speaks_at_the_pitch_asked_for() -> None:
    if shutil.which("flite") is None:
        lacking("needs Flite: apt-get install flite")
    flite = open_synthesizer("flite")
    for voice, hertz in HERTZ.items():
        if voice != "rms":  # it keeps its own
            pitches = [
                pitch_hertz(flite.say("aah", voice=f"en+{voice}", delivery=Delivery(pitch=p)))
                for p in (20, 50, 80)
            ]
            assert pitches == sorted(pitches)
            assert pitches[1] == pytest.approx(hertz, rel=0.25)  # a vowel's own place in the tune


def pitch_hertz(pcm: np.ndarray) -> float:
    """Return the pitch of the loudest tenth of a second, by autocorrelation."""
    width = SAMPLE_RATE // 10
    start = int(np.convolve(pcm.astype(float) ** 2, np.ones(width), "valid").argmax())
    x = pcm[start : start + width].astype(float)
    lags = np.correlate(x, x, "full")[len(x) - 1 :]
    low, high = SAMPLE_RATE // 400, SAMPLE_RATE // 60
    return SAMPLE_RATE / (low + int(lags[low:high].argmax()))


def test_without_its_program_flite_says_the_apt_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="apt-get install flite"):
        open_synthesizer("flite")


def test_without_its_package_piper_says_the_pip_line(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['piper'] = None; "
        "from edgekws.errors import MissingExtraError as E; "
        "from edgekws.train.synth import open_synthesizer as o\n"
        "try: o('piper', voices=('a.onnx',))\nexcept E as fault: print(fault)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert "pip install 'edgekws[piper]'" in done.stdout


def test_piper_speaks_with_every_speaker_of_every_file(piper_voice: Path, tmp_path: Path) -> None:
    german = write_voice(tmp_path / "de_DE-beep.onnx", language="de")
    piper = open_synthesizer("piper", voices=(str(piper_voice), str(german)))
    beeps = tuple(f"en+en_US-beep-low-{number}" for number in range(3))
    assert piper.voices("en") == beeps
    assert piper.voices("de") == ("de+de_DE-beep",)
    takes = synthesize_words(["tea"], "en", takes=6, seed=1, synthesizer=piper)
    assert {speaker for speaker, _ in takes} == {voice.replace("+", "-") for voice in beeps}
    pitches = [pitch_hertz(piper.say("aah", voice=voice)) for voice in beeps]
    assert pitches == sorted(pitches)
    with pytest.raises(DataError, match="no Piper voice of 'fr': the files speak de, en-us"):
        piper.voices("fr")


def test_piper_without_files_asks_for_one(piper_voice: Path) -> None:
    with pytest.raises(UsageError, match="--voice"):
        open_synthesizer("piper")


def settings_gone(path: Path) -> None:
    Path(f"{path}.json").unlink()


def settings_of_something_else(path: Path) -> None:
    Path(f"{path}.json").write_text("[1, 2]")


def not_a_net(path: Path) -> None:
    path.write_bytes(b"\x08" * 100)


def another_spelling(path: Path) -> None:
    settings = Path(f"{path}.json")
    settings.write_text(settings.read_text().replace('type": "espeak"', 'type": "pinyin"'))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (settings_gone, "onnx.json"),
        (settings_of_something_else, "not a Piper voice"),
        (not_a_net, "not a Piper voice"),
        (another_spelling, "pinyin spelling is not supported"),
    ],
)
def test_a_damaged_voice_file_is_named(
    damage: Callable[[Path], None], words: str, piper_voice: Path, tmp_path: Path
) -> None:
    path = write_voice(tmp_path / "bad.onnx")
    damage(path)
    with pytest.raises(DataError, match=words) as fault:
        open_synthesizer("piper", voices=(str(path),))
    assert str(path) in str(fault.value)
