"""Synthesized speech: words are spoken, voices differ, and files are named by speaker."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from edgekws.errors import DataError
from edgekws.train.synth import (
    SAMPLE_RATE,
    Delivery,
    Synthesizer,
    open_synthesizer,
    synthesize_words,
    write_takes,
)
from edgekws.train.synth_espeak import VARIANTS
from tests.needs import lacking

ROUNDING = 2  # of int16: the peak is set in float32 and rounded
SPEECH_RMS = 500  # int16; a word at -6 dB peak lies around 2,500, silence near 0


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return open_synthesizer()


def seconds(pcm: np.ndarray) -> float:
    return len(pcm) / SAMPLE_RATE


def centroid_hz(pcm: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))) ** 2
    return float((power * np.fft.rfftfreq(len(pcm), 1 / SAMPLE_RATE)).sum() / power.sum())


@pytest.mark.parametrize(
    ("language", "text"), [("cmn", "开灯"), ("cmn", "关灯"), ("en", "espresso"), ("de", "Licht an")]
)
def test_every_voice_of_a_language_speaks_the_words(
    synthesizer: Synthesizer, language: str, text: str
) -> None:
    voices = synthesizer.voices(language)
    assert len(voices) >= 20
    for voice in voices:
        pcm = synthesizer.say(text, voice=voice)
        assert pcm.dtype == np.int16
        assert pcm.ndim == 1
        # two syllables to three, not the names of foreign letters (those take more than a second)
        assert 0.3 < seconds(pcm) < 1.0, voice
        assert np.sqrt(np.mean(pcm.astype(float) ** 2)) > SPEECH_RMS, voice


def test_mandarin_words_that_differ_in_one_syllable_sound_different(
    synthesizer: Synthesizer,
) -> None:
    on, off = (synthesizer.say(text, voice="cmn+m3") for text in ("开灯", "关灯"))
    assert seconds(off) > 1.1 * seconds(on)  # guan is longer than kai


def test_delivery_changes_rate_tract_and_loudness(synthesizer: Synthesizer) -> None:
    plain = synthesizer.say("espresso", voice="en+f2")
    slow = synthesizer.say("espresso", voice="en+f2", delivery=Delivery(rate_wpm=120))
    child = synthesizer.say("espresso", voice="en+f2", delivery=Delivery(tract=1.15))
    quiet = synthesizer.say("espresso", voice="en+f2", delivery=Delivery(peak_db=-26.0))
    assert len(slow) > 1.2 * len(plain)
    assert centroid_hz(child) > 1.05 * centroid_hz(plain)
    assert abs(int(np.abs(plain).max()) - 32767 * 10 ** (-6 / 20)) < ROUNDING
    assert abs(int(np.abs(quiet).max()) - 32767 * 10 ** (-26 / 20)) < ROUNDING


@pytest.mark.parametrize("voice", ["xx", "cmn+nobody", "en+../en", ""])
def test_an_unknown_voice_is_refused_by_name(synthesizer: Synthesizer, voice: str) -> None:
    with pytest.raises(DataError, match="no voice"):
        synthesizer.say("hello", voice=voice)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_words_is_refused(synthesizer: Synthesizer, text: str) -> None:
    with pytest.raises(DataError, match="says nothing"):
        synthesizer.say(text, voice="en")


def test_takes_differ_in_voice_and_every_text_is_said_in_each(synthesizer: Synthesizer) -> None:
    takes = list(synthesize_words(["yes", "no"], "en", takes=10, seed=1, synthesizer=synthesizer))
    speakers = [speaker for speaker, _ in takes]
    assert len(takes) == 20
    assert speakers[::2] == speakers[1::2]
    assert len(set(speakers)) == 10
    assert len({len(pcm) for _, pcm in takes[::2]}) > 5


def test_takes_can_be_kept_to_some_voices(synthesizer: Synthesizer) -> None:
    takes = synthesize_words(
        ["yes"], "en", takes=5, seed=1, variants=("m1", "f1"), synthesizer=synthesizer
    )
    assert {speaker for speaker, _ in takes} == {"en-m1", "en-f1"}
    with pytest.raises(DataError, match="nobody"):
        list(synthesize_words(["yes"], "en", takes=1, seed=1, variants=("nobody",)))


def test_variants_are_each_named_once() -> None:
    assert len(set(VARIANTS)) == len(VARIANTS)


def test_a_seed_gives_the_same_samples_in_every_fresh_process() -> None:
    program = (
        "import hashlib; from edgekws.train.synth import synthesize_words as s; "
        "print(*(hashlib.sha256(p.tobytes()).hexdigest() for _, p in "
        "s(['开灯'], 'cmn', takes=4, seed=5)))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0].split())) == 4
    assert all(len(digest) == hashlib.sha256().digest_size * 2 for digest in runs[0].split())


def test_takes_are_written_by_speaker_and_number(synthesizer: Synthesizer, tmp_path: Path) -> None:
    folder = tmp_path / "开灯"
    for seed in (1, 2):
        takes = synthesize_words(
            ["开灯"], "cmn", takes=3, seed=seed, variants=("m1", "f1"), synthesizer=synthesizer
        )
        assert write_takes(folder, takes) == 3
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 6
    assert {name.partition("_nohash_")[0] for name in names} == {"cmn-m1", "cmn-f1"}
    with wave.open(str(folder / names[0])) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert file.getnframes() > 0.3 * SAMPLE_RATE


def test_a_deep_install_folder_still_finds_its_voices(tmp_path: Path) -> None:
    import espeakng_loader

    deep = tmp_path.joinpath(*["a" * 40] * 5)
    deep.mkdir(parents=True)
    (deep / "espeakng_loader").symlink_to(Path(espeakng_loader.__file__).parent)
    done = say_in_a_process(deep)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0.3 * SAMPLE_RATE


def test_a_crash_of_the_library_costs_nothing(synthesizer: Synthesizer) -> None:
    before = children()
    mine = open_synthesizer()
    first = mine.say("yes", voice="en+f1")
    for child in children() - before:
        os.kill(child, signal.SIGSEGV)
    assert np.array_equal(mine.say("yes", voice="en+f1"), first)
    assert len(synthesizer.say("yes", voice="en+f1"))


def test_a_library_that_crashes_again_is_one_clear_line(tmp_path: Path) -> None:
    if not (compiler := shutil.which("cc")):
        lacking("needs a C compiler: apt-get install gcc")
    source = (
        "int espeak_Initialize(void) { return 22050; }\n"
        "void espeak_SetSynthCallback(void) {}\n"
        'const char *espeak_Info(const char **path) { *path = "/"; return "0"; }\n'
        "int espeak_SetVoiceByName(void) { return 0; }\n"
        "void espeak_SetParameter(void) {}\n"
        "int espeak_Synth(void) { __builtin_trap(); }\n"
    )
    library = tmp_path / "libbad.so"
    command = (compiler, "-shared", "-fPIC", "-xc", "-", "-o", library)
    subprocess.run(command, input=source.encode(), check=True)
    loader = f"def get_library_path(): return {str(library)!r}\ndef get_data_path(): return '/'\n"
    (tmp_path / "espeakng_loader.py").write_text(loader)
    done = say_in_a_process(tmp_path, voice="en")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("edgekws.errors")]
    assert "DataError: eSpeak NG ended twice" in line
    assert "'yes' as en" in line


def test_no_child_outlives_its_synthesizer() -> None:
    before = children()
    mine = open_synthesizer()
    assert children() > before
    del mine
    assert children() <= before


def say_in_a_process(folder: Path, voice: str = "en+f1") -> "subprocess.CompletedProcess[str]":
    """Let a new process say a word, which finds packages in a folder first; prints its samples."""
    program = (
        "from edgekws.train.synth import open_synthesizer as o; "
        f"print(len(o().say('yes', voice={voice!r})))"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def children() -> set[int]:
    """Return the processes that this one has started and that still run."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(number) for task in tasks for number in task.read_text().split()}
