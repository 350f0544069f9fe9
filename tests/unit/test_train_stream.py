"""The validation stream: what its truth marks is what lies there, and its halves are strangers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekws.errors import RunError
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.dataset import Clip, Corpus
from edgekws.train.stream import Stream, lay_stream, load_stream, save_stream
from tests.training import RATE

MINUTES = 3.0
CLEAR = 10.0
"""Least ratio of a laid beep's spectral line to the noise around it; 60 is measured."""


def hertz_of(number: int) -> int:
    return 300 + 37 * number


def beep(number: int, *, seconds: float = 0.5) -> Clip:
    """Return a clip that only its own number sounds like."""
    pcm = 9000 * np.sin(2 * np.pi * hertz_of(number) * np.arange(int(seconds * RATE)) / RATE)
    return Clip(pcm.astype(np.int16), "on", "on", "validation")


def corpus_of(
    commands: Sequence[Clip], others: Sequence[Clip] = (), *, level: float = 30.0
) -> Corpus:
    noise = np.random.default_rng(3).standard_normal(10 * RATE) * level
    scene = Clip(noise.astype(np.int16), SILENCE, "room", "validation")
    marked = [replace(clip, label=UNKNOWN) for clip in others]
    return Corpus((SILENCE, UNKNOWN, "on", "off"), (*commands, *marked), (scene,), True)


def commands(count: int) -> list[Clip]:
    """Return so many clips of "on", and as many of "off"."""
    return [
        replace(beep(2 * n + side), label=label)
        for n in range(count)
        for side, label in enumerate(("on", "off"))
    ]


def lay(corpus: Corpus, *, minutes: float = MINUTES, seed: int = 1) -> Stream:
    return lay_stream(corpus, minutes=minutes, seed=seed, sample_rate=RATE)


def which(stream: Stream, place: Sequence[int], clips: Sequence[Clip]) -> Clip:
    """Return the clip that lies at a place, all of it, by the lines of both halves' spectra."""
    laid = stream.pcm[place[0] : place[1]].astype(float)
    (found,) = {peak(part) for part in np.split(laid, 2)}
    (clip,) = [clip for clip in clips if len(clip.pcm) == len(laid) and peak(clip.pcm) == found]
    return clip


def peak(pcm: NDArray[Any]) -> int:
    """Return the frequency of a beep in Hz, rounded to what its clips differ by."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)), 2 * RATE))
    assert spectrum.max() > CLEAR * np.median(spectrum)
    return round((spectrum.argmax() / 2 - hertz_of(0)) / (hertz_of(1) - hertz_of(0)))


def test_truth_marks_where_each_clip_was_laid() -> None:
    clips = commands(6)
    corpus = corpus_of(clips, [beep(40, seconds=0.7)])
    stream = lay(corpus)
    assert stream.pcm.dtype == np.int16
    assert len(stream.pcm) == MINUTES * 60 * RATE
    assert stream.tune_end == len(stream.pcm) // 2
    assert len(stream.truth) > 15
    for place in stream.truth:
        assert which(stream, place, clips).label == corpus.labels[place[2]]


def test_commands_take_turns_in_both_halves_and_never_touch() -> None:
    stream = lay(corpus_of(commands(6), [beep(40)]))
    for half in (stream.truth[:, 1] <= stream.tune_end, stream.truth[:, 0] >= stream.tune_end):
        counts = np.bincount(stream.truth[half, 2], minlength=4)
        assert counts[2] > 3
        assert abs(counts[2] - counts[3]) <= 1
    gaps = stream.truth[1:, 0] - stream.truth[:-1, 1]
    assert gaps.min() >= 1.5 * RATE
    first = stream.truth[:, 1] <= stream.tune_end
    assert (first | (stream.truth[:, 0] >= stream.tune_end)).all()  # none lies across the border


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_halves_share_no_command_clip(count: int) -> None:
    clips = commands(count)
    stream = lay(corpus_of(clips))
    heard: tuple[set[int], set[int]] = (set(), set())
    for place in stream.truth:
        heard[int(place[0] >= stream.tune_end)].add(id(which(stream, place, clips)))
    assert heard[0]
    assert heard[1]
    assert not heard[0] & heard[1]


def test_a_single_clip_is_in_both_halves() -> None:
    stream = lay(corpus_of(commands(1)))
    on = stream.truth[stream.truth[:, 2] == 2]
    assert on[0, 0] < stream.tune_end < on[-1, 0]


def test_training_clips_are_not_laid() -> None:
    held, learned = commands(2), [replace(c, split="training") for c in commands(8)[4:]]
    stream = lay(corpus_of([*held, *learned]))
    for place in stream.truth:
        which(stream, place, held)


def test_one_long_recording_of_other_speech_does_not_end_a_half() -> None:
    rng = np.random.default_rng(4)
    long = Clip((rng.standard_normal(300 * RATE) * 999).astype(np.int16), "x", "x", "validation")
    stream = lay(corpus_of(commands(4), [long]))
    last = stream.truth[:, 1][stream.truth[:, 1] <= stream.tune_end].max()
    assert last > stream.tune_end - 40 * RATE
    assert len(stream.truth) > 6


def test_a_stream_too_short_for_a_clip_is_noise() -> None:
    stream = lay(corpus_of(commands(2)), minutes=0.1)
    assert stream.truth.shape == (0, 3)
    assert stream.pcm.any()


def test_the_same_seed_lays_the_same_stream() -> None:
    corpus = corpus_of(commands(4), [beep(40)])
    a, b, c = lay(corpus), lay(corpus), lay(corpus, seed=2)
    np.testing.assert_array_equal(a.pcm, b.pcm)
    np.testing.assert_array_equal(a.truth, b.truth)
    assert not np.array_equal(a.pcm, c.pcm)


def test_a_stream_is_read_as_it_was_written(tmp_path: Path) -> None:
    stream = lay(corpus_of(commands(2)), minutes=0.5)
    save_stream(tmp_path / "stream.npz", stream)
    read = load_stream(tmp_path / "stream.npz")
    np.testing.assert_array_equal(read.pcm, stream.pcm)
    np.testing.assert_array_equal(read.truth, stream.truth)
    assert read.tune_end == stream.tune_end
    assert [path.name for path in tmp_path.iterdir()] == ["stream.npz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a zip",
        lambda data: data[: len(data) // 2],
        lambda data: data[:1000] + b"\0" * 5000 + data[6000:],
    ],
    ids=["empty", "foreign", "truncated", "overwritten"],
)
def test_a_damaged_stream_is_a_run_error_with_its_path(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "stream.npz"
    save_stream(path, lay(corpus_of(commands(2)), minutes=0.5))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunError, match=r"stream\.npz: not a usable stream"):
        load_stream(path)


@pytest.mark.parametrize(
    "stream",
    [
        Stream(np.zeros(9, np.int16), np.zeros((0, 3), np.int64), 9),
        Stream(np.zeros((3, 3), np.int16), np.zeros((0, 3), np.int64), 1),
        Stream(np.zeros(9, np.int16), np.zeros((1, 2), np.int64), 4),
        Stream(np.zeros(9, np.int16), np.array([[1, 20, 2]]), 4),
    ],
)
def test_a_stream_that_makes_no_sense_is_a_run_error(tmp_path: Path, stream: Stream) -> None:
    save_stream(tmp_path / "stream.npz", stream)
    with pytest.raises(RunError, match=r"stream\.npz: not a usable stream"):
        load_stream(tmp_path / "stream.npz")


def test_a_missing_stream_is_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"stream\.npz"):
        load_stream(tmp_path / "stream.npz")
