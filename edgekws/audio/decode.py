"""Audio files of any format, rate and channel count as int16 mono at one rate."""

from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from edgekws.audio.convert import Converter
from edgekws.audio.extras import load_extra
from edgekws.audio.riff import PCM, WavHeader, read_wav_header
from edgekws.errors import DataError
from edgekws.events import Floats, Pcm

_PORTION: Final = 65_536  # frames decoded at a time, so that long files cost little memory
_RATES: Final = range(1_000, 768_001)  # Hz; a header outside of this is damaged
_PADDING: Final = 4 * 1_152  # frames an MP3 header may count beyond what the decoder gives


class AudioFormat(msgspec.Struct, frozen=True):
    """How a file holds its audio: rate in Hz, channels, encoding such as `WAV PCM_16`."""

    sample_rate: int
    channels: int
    encoding: str


def read_format(path: Path) -> AudioFormat:
    """Return the format that a file's header states.

    Raises:
        DataError: the file is not audio that can be decoded.
        MissingExtraError: soundfile is not installed.
    """
    soundfile = load_extra("soundfile", extra="audio", purpose=f"reading {path}")
    try:
        with path.open("rb", buffering=0) as file, _open(soundfile, file) as sound:
            encoding = f"{sound.format} {sound.subtype}"
            return AudioFormat(sound.samplerate, sound.channels, encoding)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except soundfile.LibsndfileError as error:
        raise _undecodable(path, error.error_string) from error


def read_audio(path: Path, *, sample_rate: int) -> Pcm:
    """Return a whole file as (n,) int16 mono at `sample_rate` Hz, n >= 1.

    A 16-bit mono WAV of this rate is read as it is; all else goes through soundfile, the channels
    averaged, and soxr where the rate differs.

    Raises:
        DataError: the file is missing, empty, truncated, not audio, or holds NaN or infinity.
        MissingExtraError: the file needs soundfile or soxr, which is not installed.
    """
    try:
        _check_file(path)
        with path.open("rb", buffering=0) as file:  # libsndfile shares its position
            pcm = _read(path, file, sample_rate=sample_rate)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(pcm) == 0:
        raise DataError(f"{path}: holds no samples; record or export it again")
    return pcm


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path}: is a directory; name an audio file in it")
    if not path.exists():
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path}: is not a regular file; copy the audio into one")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty (0 bytes); copy or record it again")


def _read(path: Path, file: FileIO, *, sample_rate: int) -> Pcm:
    header = read_wav_header(file)
    if header is not None and header.truncated:
        raise _truncated(path, claimed=header.claimed_bytes, held=header.held_bytes, unit="bytes")
    if header is not None and _is_plain(header, sample_rate):
        file.seek(header.offset)
        return np.fromfile(file, "<i2", count=header.held_bytes // 2).astype(np.int16, copy=False)
    return _decode(path, file, sample_rate=sample_rate)


def _is_plain(header: WavHeader, sample_rate: int) -> bool:
    shape = (header.encoding, header.bits, header.channels, header.sample_rate, header.frame_bytes)
    return shape == (PCM, 16, 1, sample_rate, 2)


def _decode(path: Path, file: FileIO, *, sample_rate: int) -> Pcm:
    soundfile = load_extra("soundfile", extra="audio", purpose=f"reading {path}")
    file.seek(0)
    try:
        with _open(soundfile, file) as sound:
            if sound.samplerate not in _RATES:
                raise DataError(f"{path}: claims {sound.samplerate} Hz; export it again")
            converter = Converter(sound.samplerate, sample_rate, purpose=f"resampling {path}")
            parts = [converter.push(frames) for frames in _portions(path, sound)]
            return np.concatenate((*parts, converter.flush()))
    except soundfile.LibsndfileError as error:
        raise _undecodable(path, error.error_string) from error


def _open(soundfile: Any, file: FileIO) -> Any:
    """Open by the descriptor, not the path: soundfile would trust an extension such as .raw."""
    return soundfile.SoundFile(file.fileno(), closefd=False)


def _portions(path: Path, sound: Any) -> Iterator[Floats]:
    """Yield finite (n, channels) float32 until the decoder has no more."""
    start = 0
    while len(frames := sound.read(_PORTION, dtype="float32", always_2d=True)):
        finite = np.isfinite(frames).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{path}: sample {start + int(np.argmin(finite))} is NaN or infinite;"
                " export it again as 16-bit PCM"
            )
        yield frames
        start += len(frames)
    if start + _PADDING < sound.frames:
        raise _truncated(path, claimed=sound.frames, held=start, unit="samples")


def _undecodable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: is not audio that can be decoded ({why.rstrip('.')});"
        " copy it again or convert it to WAV or FLAC"
    )


def _truncated(path: Path, *, claimed: int, held: int, unit: str) -> DataError:
    return DataError(
        f"{path}: is truncated: its header claims {claimed} {unit} of audio and it holds {held};"
        " copy or record it again"
    )
