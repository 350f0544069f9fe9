"""What can happen to a recording before a device hears it: noise, rooms, lines, codecs, gain."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.random import Generator

from edgekws.audio.extras import load_extra
from edgekws.events import Floats, Pcm
from edgekws.train import augment
from edgekws.train.rooms import draw_room, impulse_response

SNRS_DB: Final = (20, 10, 5, 0)
SPEEDS: Final = (0.9, 1.1)
GAINS_DB: Final = (-30, -20, -10, 10, 20)
ROOMS: Final = 8  # that clips are spread over
LEAST_METRES: Final = 2.5  # from the speaker to the microphone: far field
TELEPHONE_RATE: Final = 8_000
TELEPHONE_HZ: Final = (300, 3400)
OPUS_LEVEL: Final = 0.96
"""libsndfile maps its level l to (1 - l) * 250 + 6 kbit/s: this is 16, with a variable rate."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """The clips as they then are; `note` says what was really reached, "" where that is plain."""

    clips: list[Pcm]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A row of a robustness table: its name, and what it does to all clips.

    Where something is `drawn`, another generator does something else.
    """

    name: str
    apply: Callable[[Sequence[Pcm], Generator], Degraded]
    drawn: bool = False


def conditions(noise: list[Pcm], *, sample_rate: int) -> tuple[Condition, ...]:
    """Return the rows of the table, the clean one first."""
    rate = sample_rate
    return (
        Condition("clean", _each(lambda pcm, _: pcm)),
        *(
            Condition(f"noise, {snr} dB", _each(partial(_noisy, noise, snr)), drawn=True)
            for snr in SNRS_DB
        ),
        Condition("far field", partial(_far, sample_rate=rate), drawn=True),
        Condition("telephone, 8 kHz", _each(lambda pcm, _: telephone(pcm, sample_rate=rate))),
        Condition("Opus, 16 kbit/s", partial(_opus, sample_rate=rate)),
        *(Condition(f"speed {factor:g}", _each(partial(_faster, factor))) for factor in SPEEDS),
        *(Condition(f"gain {gain:+d} dB", _each(partial(_louder, gain))) for gain in GAINS_DB),
    )


def telephone(pcm: Pcm, *, sample_rate: int) -> Pcm:
    """Return a clip as a telephone line passes it: 8 kHz, 300 to 3400 Hz."""
    soxr = load_extra("soxr", extra="audio", purpose="the telephone band")
    narrow = soxr.resample(_floats(pcm), sample_rate, TELEPHONE_RATE)
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / TELEPHONE_RATE)
    spectrum[(hertz < TELEPHONE_HZ[0]) | (hertz > TELEPHONE_HZ[1])] = 0
    wide = soxr.resample(np.fft.irfft(spectrum, len(narrow)), TELEPHONE_RATE, sample_rate)
    return _pcm(wide)


def _each(
    change: Callable[[Pcm, Generator], Pcm],
) -> Callable[[Sequence[Pcm], Generator], Degraded]:
    """Return what changes the clips one by one."""
    return lambda clips, rng: Degraded([change(pcm, rng) for pcm in clips])


def _noisy(noise: list[Pcm], snr_db: float, pcm: Pcm, rng: Generator) -> Pcm:
    """Add a random stretch of noise; the ratio is that of mean powers over the clip."""
    audio = _floats(pcm)
    segment = augment.noise_segment(noise, len(pcm), rng)
    return _pcm(augment.mix(audio, segment, snr_db, speech_power=float(np.mean(audio**2))))


def _far(clips: Sequence[Pcm], rng: Generator, *, sample_rate: int) -> Degraded:
    """Put each clip into one of some rooms, as loud as it was."""
    rooms = [draw_room(rng, least_metres=LEAST_METRES) for _ in range(ROOMS)]
    responses = [impulse_response(room, sample_rate=sample_rate) for room in rooms]
    heard = [_convolved(pcm, responses[rng.integers(ROOMS)]) for pcm in clips]
    metres = [float(np.linalg.norm(room.source - room.microphone)) for room in rooms]
    times = [room.rt60_seconds for room in rooms]
    return Degraded(
        heard,
        f"{ROOMS} rooms, {min(metres):.1f} to {max(metres):.1f} m, reverberation of "
        f"{min(times):.2f} to {max(times):.2f} s",
    )


def _convolved(pcm: Pcm, response: Floats) -> Pcm:
    audio = _floats(pcm)
    wet = augment.convolve(audio, response)
    power = float(np.mean(wet**2)) + augment.QUIET
    return _pcm(wet * np.sqrt(float(np.mean(audio**2)) / power))


def _opus(clips: Sequence[Pcm], _: Generator, *, sample_rate: int) -> Degraded:
    """Code all clips as one recording, as a call does, and cut it again."""
    soundfile = load_extra("soundfile", extra="audio", purpose="the Opus codec")
    file, ends = io.BytesIO(), np.cumsum([len(pcm) for pcm in clips])
    soundfile.write(
        file,
        np.concatenate(clips),
        sample_rate,
        format="OGG",
        subtype="OPUS",
        compression_level=OPUS_LEVEL,
    )
    reached = 8 * len(file.getvalue()) / (ends[-1] / sample_rate) / 1000
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="int16")
    return Degraded(
        np.split(decoded, ends[:-1]), f"{reached:.1f} kbit/s reached, container included"
    )


def _faster(factor: float, pcm: Pcm, _: Generator) -> Pcm:
    """Raise tempo and pitch."""
    soxr = load_extra("soxr", extra="audio", purpose="another speed")
    return _pcm(soxr.resample(_floats(pcm), factor, 1.0))


def _louder(gain_db: float, pcm: Pcm, _: Generator) -> Pcm:
    """Amplify as a microphone does: what is beyond full scale is cut off."""
    return _pcm(_floats(pcm) * np.float32(10 ** (gain_db / 20)))


def _floats(pcm: Pcm) -> Floats:
    return pcm.astype(np.float32) / np.float32(augment.FULL_SCALE)


def _pcm(audio: Floats) -> Pcm:
    return augment.to_scale(audio).astype(np.int16)
