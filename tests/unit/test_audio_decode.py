"""Reading audio files: every format to int16 mono, and one clear line for what is no audio."""

import os
import re
import sys
from pathlib import Path
from struct import pack
from typing import Final

import numpy as np
import pytest
import soundfile

from edgekws.audio.decode import read_audio
from edgekws.errors import DataError, MissingExtraError
from edgekws.events import Floats, Pcm

RATE: Final = 16_000
ROUNDING: Final = 1  # int16 steps: rounding after the mean of channels or the resampler
LOSSY: Final = 0.02  # of full scale: what a lossy codec leaves of a tone
EDGE: Final = 800  # samples at either end where a resampler has only half of its filter


def tone(*, rate: int, seconds: float = 0.5) -> Floats:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype("f4")


def noise(samples: int = 4_001) -> Pcm:
    return np.random.default_rng(1).integers(-32768, 32768, samples).astype(np.int16)


def write(path: Path, audio: Pcm | Floats, *, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


def refusal(path: Path) -> str:
    """Return the one line with which a file is refused; it names the path."""
    with pytest.raises(DataError) as caught:
        read_audio(path, sample_rate=RATE)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_plain_wav_comes_back_bit_exact(tmp_path: Path) -> None:
    pcm = read_audio(write(tmp_path / "a.wav", noise()), sample_rate=RATE)
    assert pcm.dtype == np.int16
    np.testing.assert_array_equal(pcm, noise())


def test_plain_wav_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", noise())
    for module in ("soundfile", "soxr"):
        monkeypatch.setitem(sys.modules, module, None)
    assert len(read_audio(path, sample_rate=RATE)) == len(noise())


@pytest.mark.parametrize(("module", "rate"), [("soundfile", RATE), ("soxr", 8_000)])
def test_missing_extra_is_named_with_its_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, rate: int
) -> None:
    path = write(tmp_path / "a.flac", noise(), rate=rate)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'edgekws[audio]'")) as got:
        read_audio(path, sample_rate=RATE)
    assert module in str(got.value)
    assert str(path) in str(got.value)


def test_16_bit_flac_comes_back_bit_exact(tmp_path: Path) -> None:
    pcm = read_audio(write(tmp_path / "a.flac", noise()), sample_rate=RATE)
    np.testing.assert_array_equal(pcm, noise())


def test_extensible_wav_comes_back_bit_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(), RATE, format="WAVEX", subtype="PCM_16")
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), noise())


def test_chunks_before_the_audio_are_passed_over(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.wav", noise()).read_bytes()
    odd_chunk = b"note" + pack("<I", 3) + b"abc\0"  # padded to an even length
    path = tmp_path / "b.wav"
    path.write_bytes(plain[:12] + odd_chunk + plain[12:])
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), noise())


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left, right = noise(), noise()[::-1]
    pcm = read_audio(write(tmp_path / "a.wav", np.stack((left, right), axis=1)), sample_rate=RATE)
    expected = (left.astype(np.float64) + right) / 2
    np.testing.assert_allclose(pcm, expected, atol=ROUNDING)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_any_rate_and_width_gives_the_same_tone(tmp_path: Path, subtype: str, rate: int) -> None:
    path = write(tmp_path / "a.wav", tone(rate=rate), rate=rate, subtype=subtype)
    pcm = read_audio(path, sample_rate=RATE)
    expected = tone(rate=RATE) * 32768
    assert len(pcm) == len(expected)
    inner = slice(EDGE, -EDGE)
    np.testing.assert_allclose(pcm[inner], expected[inner], atol=2 * ROUNDING)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.ogg", "VORBIS"), ("b.ogg", "OPUS"), ("a.mp3", "MPEG_LAYER_III")],
)
def test_lossy_formats_are_read(tmp_path: Path, name: str, subtype: str) -> None:
    path = write(tmp_path / name, tone(rate=48_000), rate=48_000, subtype=subtype)
    pcm = read_audio(path, sample_rate=RATE)
    inner = slice(EDGE, len(tone(rate=RATE)) - EDGE)
    error = pcm[inner] / 32768 - tone(rate=RATE)[inner]
    assert np.sqrt(np.mean(error**2)) < LOSSY


def test_a_float_beyond_full_scale_is_clipped(tmp_path: Path) -> None:
    loud = np.array([0.0, 1.0, -1.0, 3e38, -3e38], np.float32)
    pcm = read_audio(write(tmp_path / "a.wav", loud, subtype="FLOAT"), sample_rate=RATE)
    assert pcm.tolist() == [0, 32767, -32768, 32767, -32768]


def test_an_extension_does_not_decide_the_format(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", noise()).rename(tmp_path / "a.raw")
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), noise())


def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise())
    piped = path.read_bytes().replace(b"data" + pack("<I", 8002), b"data\xff\xff\xff\xff")
    path.write_bytes(piped)
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), noise())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.wav")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "not a regular file" in refusal(tmp_path / "pipe.wav")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert "is empty" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_a_file_without_samples_is_refused(tmp_path: Path, name: str) -> None:
    assert "holds no samples" in refusal(write(tmp_path / name, noise(0)))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_a_truncated_wav_is_refused(tmp_path: Path, subtype: str, rate: int) -> None:
    path = write(tmp_path / "a.wav", tone(rate=rate), rate=rate, subtype=subtype)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "is truncated: its header claims" in refusal(path)
    path.write_bytes(whole[:30])
    assert refusal(path)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III")],
)
def test_half_a_compressed_file_is_refused(tmp_path: Path, name: str, subtype: str) -> None:
    path = write(tmp_path / name, tone(rate=48_000), rate=48_000, subtype=subtype)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_nan_and_infinity_are_refused_with_their_place(
    tmp_path: Path, value: float, rate: int
) -> None:
    audio = np.zeros((70_000, 2), np.float32)
    audio[66_000, 1] = value
    path = write(tmp_path / "a.wav", audio, rate=rate, subtype="FLOAT")
    assert "sample 66000 is NaN or infinite" in refusal(path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.raw", "notes.txt"])
@pytest.mark.parametrize("content", [b"hello there " * 50, bytes(range(256)) * 20, b"RIFF"])
def test_what_is_no_audio_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert "is not audio that can be decoded" in refusal(tmp_path / name)


def test_a_senseless_rate_is_refused(tmp_path: Path) -> None:
    assert "claims 1 Hz" in refusal(write(tmp_path / "a.wav", noise(), rate=1))
