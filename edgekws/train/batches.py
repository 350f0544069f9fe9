"""Training batches drawn without end from a corpus, and validation clips cut to one length."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import parent_process
from threading import Thread
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from edgekws.errors import EXIT_INTERRUPTED
from edgekws.events import Floats, Pcm
from edgekws.specs import SILENCE, UNKNOWN, FeatureSpec
from edgekws.train import augment
from edgekws.train.channel import distort, simulated_rooms
from edgekws.train.dataset import HARD_NEGATIVES, Clip, Corpus
from edgekws.train.interrupts import interrupts_kept_back
from edgekws.train.ranks import ALONE, Ranks
from edgekws.train.recipe import Recipe
from edgekws.train.talk import join
from edgekws.train.voice import vary_voice

ONE_LABEL_SECONDS: Final = 1.5
"""A clip longer than this is continuous speech: any part of it will do."""
ENDING_SECONDS: Final = 8.0
"""For a worker to end by itself when its parent is gone."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of audio that one example is about: frames of context, and samples at the end."""

    frames: int
    spec: FeatureSpec

    def samples(self, lead_frames: int) -> int:
        """Return the samples of an example with so many frames before the window."""
        return self.spec.samples(self.frames + lead_frames)


class Examples(NamedTuple):
    """One batch: audio (batch, samples) on the int16 scale, classes (batch,), and clips (batch,).

    `clips` are the places in the corpus's training clips of what is heard, -1 for noise alone.
    `undisturbed` is the audio of speech without noise, room and codec, where a teacher wants it.
    """

    audio: Tensor
    classes: Tensor
    clips: Tensor
    undisturbed: Tensor | None = None


class ExampleStream(IterableDataset[Examples]):
    """One epoch of batches, or of a rank's part of each of them."""

    def __init__(
        self,
        corpus: Corpus,
        recipe: Recipe,
        window: Window,
        *,
        epoch: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self.corpus, self.recipe, self.window, self.epoch = corpus, recipe, window, epoch
        self.ranks = ranks
        self.clips = corpus.of("training")
        self.noise = corpus.noise_of("training")
        self.others = [clip for clip in self.clips if clip.label == UNKNOWN]
        self.weights = class_weights(self.clips, recipe)
        self.classes = {label: i for i, label in enumerate(corpus.labels)}
        self.rooms: tuple[Floats, ...] = ()
        if recipe.augment.room_probability > 0:
            self.rooms = simulated_rooms(recipe.seed, sample_rate=window.spec.sample_rate)

    def __iter__(self) -> Iterator[Examples]:
        rng = own = np.random.default_rng([self.recipe.seed, self.epoch])
        if self.ranks.count > 1:
            own = np.random.default_rng([self.recipe.seed, self.epoch, 1 + self.ranks.rank])
        for _ in range(self.batches()):
            yield self._batch(rng, own)

    def batches(self) -> int:
        """Return the batches of an epoch."""
        wanted = self.recipe.data.examples_per_epoch
        examples = wanted or min(32_000, max(1_000, 4 * len(self.clips)))
        return max(1, examples // self.recipe.optimizer.batch)

    def _batch(self, rng: Generator, own: Generator) -> Examples:
        """Draw who speaks in the batch, alike on every rank, and then how, each its own part."""
        size, mine = self.recipe.optimizer.batch, self.ranks.own(self.recipe.optimizer.batch)
        lead = int(rng.choice(self.recipe.augment.lead_frames))
        silent = rng.random(size) < self.recipe.data.silence_fraction
        picks = rng.choice(len(self.clips), size=size, p=self.weights)
        joined = rng.random(size) < self.recipe.augment.joined_probability
        silent, picks, joined = silent[mine], picks[mine], joined[mine]
        rows, undisturbed, classes = [], [], []
        for index, pick in enumerate(picks):
            clip = None if silent[index] else self.clips[pick]
            joined[index] &= clip is not None and _is_talk(clip)
            heard, spoken = self._example(clip, lead, own, joined=bool(joined[index]))
            rows.append(heard)
            undisturbed.append(spoken)
            classes.append(self.classes[clip.label if clip else SILENCE])
        clips = np.where(silent | joined, -1, picks)
        return Examples(
            torch.from_numpy(np.stack(rows)),
            torch.tensor(classes),
            torch.from_numpy(clips),
            self._taught(undisturbed),
        )

    def _taught(self, undisturbed: Sequence[Floats]) -> Tensor | None:
        """Return what a teacher is to hear in place of the audio, where the recipe wants that."""
        recipe = self.recipe.distillation
        if recipe is None or not recipe.undisturbed:
            return None
        return torch.from_numpy(augment.to_scale(np.stack(undisturbed)))

    def _example(
        self, clip: Clip | None, lead_frames: int, rng: Generator, *, joined: bool
    ) -> tuple[Floats, Floats]:
        """Return (samples,) as the net hears it on the int16 scale, and undisturbed in [-1, 1]."""
        length = self.window.samples(lead_frames)
        if clip is None:
            silence = self._silence(length, rng)
            return self._distorted(augment.to_scale(silence), rng), silence
        audio = self._talk(length, rng) if joined else self._speech(clip, length, rng)
        power = float(np.mean(audio[-self.window.samples(0) :] ** 2))
        if lead_frames and not joined and rng.random() < self.recipe.augment.context_probability:
            self._add_context(audio, rng)
        spoken, audio = audio, self._reverberated(audio, rng)
        if rng.random() < self.recipe.augment.noise_probability:
            snr = rng.uniform(*self.recipe.augment.snr_db)
            noise = self._noise(length, rng)
            audio = augment.mix(audio, noise, snr, speech_power=power)
        gain = _gain(rng, *self.recipe.augment.gain_db)
        loud = augment.to_scale(audio * gain)
        return self._distorted(loud, rng), spoken * gain

    def _distorted(self, audio: Floats, rng: Generator) -> Floats:
        """Pass speech and silence alike: no codec is to tell one from the other."""
        recipe, rate = self.recipe.augment, self.window.spec.sample_rate
        return distort(audio.astype(np.int16), recipe, rng, sample_rate=rate).astype(np.float32)

    def _silence(self, length: int, rng: Generator) -> Floats:
        noise = self._noise(length, rng)
        if rng.random() < 0.3:
            noise = noise + self._noise(length, rng) * _gain(rng, -20, 0)
        return noise * _gain(rng, -50.0, 6.0)

    def _noise(self, length: int, rng: Generator) -> Floats:
        speed = self.recipe.augment.noise_speed
        return augment.noise_segment(self.noise, length, rng, speed=speed)

    def _speech(self, clip: Clip, length: int, rng: Generator) -> Floats:
        """Return a clip laid at the end of (length,) samples; any part of continuous speech.

        Of what was nearly a command it is the loudest part, which was.
        """
        pcm, body = self._varied(clip, rng), self.window.samples(0)
        long = len(pcm) > ONE_LABEL_SECONDS * self.window.spec.sample_rate
        if long and _is_talk(clip):
            start = int(rng.integers(0, max(1, len(pcm) - length)))
            return augment.place(pcm, length, -start)
        slack = len(pcm) - body
        start = augment.focus(pcm, body) if slack > body // 8 else slack // 2
        most = self.recipe.augment.shift_samples
        shift = int(rng.integers(-most, most + 1))
        return augment.place(pcm, length, length - body - start + shift)

    def _talk(self, length: int, rng: Generator) -> Floats:
        """Return other words joined to (length,) samples of talk."""

        def draw() -> Pcm:
            pcm = self._varied(self.others[rng.integers(len(self.others))], rng)
            most = int(ONE_LABEL_SECONDS * self.window.spec.sample_rate)
            start = int(rng.integers(0, max(1, len(pcm) - most)))
            return pcm[start : start + most]

        return join(draw, length, rng, sample_rate=self.window.spec.sample_rate)

    def _add_context(self, audio: Floats, rng: Generator) -> None:
        """Lay other recordings, of commands too, into what lies before the window."""
        before = len(audio) - self.window.samples(0) - self.recipe.augment.shift_samples
        if before > 0:
            audio[:before] += join(
                lambda: self.clips[rng.integers(len(self.clips))].pcm[-before:],
                before,
                rng,
                sample_rate=self.window.spec.sample_rate,
            )

    def _reverberated(self, audio: Floats, rng: Generator) -> Floats:
        recipe, rate = self.recipe.augment, self.window.spec.sample_rate
        if self.rooms and rng.random() < recipe.room_probability:
            return augment.convolve(audio, self.rooms[rng.integers(len(self.rooms))])
        if rng.random() >= recipe.reverb_probability:
            return audio
        seconds = rng.uniform(*recipe.reverb_seconds)
        return augment.reverberate(audio, seconds, rng, sample_rate=rate)

    def _varied(self, clip: Clip, rng: Generator) -> Pcm:
        recipe, rate = self.recipe.augment, self.window.spec.sample_rate
        pcm = vary_voice(clip.pcm, recipe, rng, sample_rate=rate)
        if rng.random() >= recipe.speed_probability:
            return pcm
        return augment.change_speed(pcm, rng.uniform(*recipe.speed))


def _is_talk(clip: Clip) -> bool:
    """Return whether any part of it, joined to any other, is as good an example."""
    return clip.label == UNKNOWN and clip.group != HARD_NEGATIVES


def class_weights(clips: list[Clip], recipe: Recipe) -> NDArray[np.float64]:
    """Return the probability of each clip: groups balanced, `_unknown_` at its fraction."""
    groups: dict[tuple[bool, str], float] = {}
    lengths = [max(1.0, len(clip.pcm) / 16_000) for clip in clips]
    keys = [(clip.label == UNKNOWN, clip.group) for clip in clips]
    for key, length in zip(keys, lengths, strict=True):
        groups[key] = groups.get(key, 0.0) + length
    power = recipe.data.balance
    weights = np.array(
        [n / groups[k] * groups[k] ** power for k, n in zip(keys, lengths, strict=True)]
    )
    unknown = np.array([is_unknown for is_unknown, _ in keys])
    mixed = unknown.any() and not unknown.all()
    share = recipe.data.unknown_fraction if mixed else float(unknown.all())
    for mask, part in ((unknown, share), (~unknown, 1.0 - share)):
        if mask.any():
            weights[mask] *= part / weights[mask].sum()
    return np.asarray(weights / weights.sum())


def label_shares(corpus: Corpus, recipe: Recipe) -> list[float]:
    """Return what share of the examples each label has, in the order of the labels."""
    silent, clips = recipe.data.silence_fraction, corpus.of("training")
    shares = dict.fromkeys(corpus.labels, 0.0)
    for clip, weight in zip(clips, class_weights(clips, recipe).tolist(), strict=True):
        shares[clip.label] += (1.0 - silent) * weight
    shares[SILENCE] += silent
    return list(shares.values())


def load(stream: ExampleStream, *, workers: int) -> Iterator[Examples]:
    """Give the batches by one background worker, or none; the draws are the same."""
    count = min(workers, 1)  # one worker keeps the draws independent of the machine
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=count,
        prefetch_factor=8 if count else None,
        worker_init_fn=_begin_worker,
    )
    with interrupts_kept_back():  # dropped half made, torch's iterator writes a traceback
        return iter(loader)


def _begin_worker(_worker: int) -> None:
    """Leave interrupts to the parent, say nothing of an end, and never live on without it.

    What fails here, torch raises in the parent; only the thread that hands a batch over would
    write, when the parent ends in between.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = lambda *_fault: None
    Thread(target=_end_behind_the_parent, name="parent", daemon=True).start()


def _end_behind_the_parent() -> None:
    """End the process where torch does not: it misses a parent that was killed before its loop."""
    parent = parent_process()
    assert parent is not None, "a worker is a process of its own"
    parent.join()
    time.sleep(ENDING_SECONDS)  # torch looks every 5 s, and ends with its temporary files removed
    os._exit(EXIT_INTERRUPTED)


def _gain(rng: Generator, low_db: float, high_db: float) -> np.float32:
    return np.float32(10.0 ** (rng.uniform(low_db, high_db) / 20.0))
