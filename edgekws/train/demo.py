"""What `edgekws demo` learns from and listens to: synthesized words, and a recording with a truth.

The voices of the recording are kept out of the training folder, so the demo hears strangers.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.specs import UNKNOWN
from edgekws.train.background import everyday_words
from edgekws.train.synth import (
    SAMPLE_RATE,
    Synthesizer,
    synthesize_words,
    write_takes,
    write_wav,
)
from edgekws.train.synth_espeak import VARIANTS

SPOKEN: Final[Mapping[str, Mapping[str, str]]] = {
    "开灯": {"cmn": "开灯"},  # kai deng, lights on
    "关灯": {"cmn": "关灯"},  # guan deng, lights off
    "espresso": {"en": "espresso", "de": "Espresso"},
}
"""The demo's commands, and how each is said, by language."""

CLOSE: Final[Mapping[str, Sequence[str]]] = {
    "cmn": (
        *("开门", "关门", "开车", "关心", "台灯", "电灯", "红灯", "开始", "关系", "看到", "等等"),
        *("今天的天气很好", "我想喝一杯水", "明天我们去公园", "他正在看电视", "路上的红灯很长"),
        *("他关上了窗户就出去了", "商店上午九点开门", "你可以再说一遍吗", "孩子们在院子里玩"),
    ),
    "en": (
        *("express", "especially", "expensive", "press", "espionage", "spread", "impressive"),
        *("a cup of tea would be nice", "what time is it now", "turn that down a little"),
        *("we went for a long walk along the river on sunday", "could you close the window"),
        *("the meeting was moved to half past three", "there is nothing good on television"),
        *("my brother bought a blue bicycle in the market", "I will call you when I get home"),
        *("dinner is going to be ready in about ten minutes", "the train was late once more"),
    ),
    "de": (
        *("Expresszug", "Presse", "Kaffee", "guten Morgen", "das Wetter wird heute besser"),
        *("wir gehen am Sonntag in den Garten", "kannst du mir bitte das Brot geben"),
    ),
}
"""Words that are close to a command, and sentences: `_unknown_`, as everyday words are."""

SENTENCES: Final = (
    ("en", "the weather will be cloudy with some sunshine later in the week"),
    ("cmn", "我们下午去超市买水果和面包"),
    ("en", "please remember to water the flowers before you leave the house"),
    ("cmn", "请把门关上，然后打开窗户"),
    ("en", "she was impressed by the long train ride along the coast"),
    ("de", "morgen fahren wir mit dem Zug an die See"),
    ("cmn", "他每天早上七点钟去跑步"),
    ("en", "an old ship crossed the harbour slowly while the children were watching"),
)
"""What is talked about in the recording between the commands."""

STRANGERS: Final = ("m3", "f2", "Andy", "linda", "john", "steph")
"""Voices heard in the recording only."""

TAKES: Final = 192
_CLOSE_TAKES: Final = 10
_EVERYDAY_TAKES: Final = 2


@dataclass(frozen=True, slots=True)
class Placed:
    """A command in the recording: samples [start, end)."""

    label: str
    start: int
    end: int


def write_data(folder: Path, synthesizer: Synthesizer, *, seed: int) -> dict[str, int]:
    """Write a folder per command and `_unknown_`; return the clips of each."""
    learned = [v for v in VARIANTS if v not in STRANGERS]
    counts: dict[str, int] = {}
    for label, texts, takes in _groups():
        counts[label] = counts.get(label, 0) + sum(
            write_takes(
                folder / label,
                synthesize_words(
                    texts[language],
                    language,
                    takes=takes,
                    seed=seed + number,
                    variants=learned,
                    synthesizer=synthesizer,
                ),
            )
            for number, language in enumerate(texts)
        )
    return counts


def write_recording(path: Path, synthesizer: Synthesizer, *, seed: int) -> tuple[Placed, ...]:
    """Write a recording of strangers who talk, and twice give each command, in a noisy room.

    The truth goes beside it as .csv (`start_seconds,end_seconds,label`).
    """
    rng = np.random.default_rng(seed)
    pieces: list[Pcm] = [_pause(rng, 2.0)]
    placed: list[Placed] = []
    for label, pcm in _conversation(synthesizer, rng):
        start = sum(map(len, pieces))
        if label is not None:
            placed.append(Placed(label, start, start + len(pcm)))
        pieces += [pcm, _pause(rng, 1.2)]
    speech = np.concatenate([*pieces, _pause(rng, 2.0)]).astype(np.float32)
    room = np.clip(0.6 * speech + _fan(rng, len(speech)), -32768, 32767)
    write_wav(path, room.astype(np.int16))
    _write_truth(path.with_suffix(".csv"), placed)
    return tuple(placed)


def _conversation(
    synthesizer: Synthesizer, rng: np.random.Generator
) -> Iterator[tuple[str | None, Pcm]]:
    """Yield a sentence and a command by turns, each in a voice not heard in training."""
    commands = [label for _ in range(2) for label in rng.permutation(list(SPOKEN))]
    for number, (language, sentence) in enumerate(SENTENCES):
        yield None, _stranger(synthesizer, sentence, language, rng)
        if number < len(commands):
            label = str(commands[number])
            spoken = next(iter(SPOKEN[label].items()))
            yield label, _stranger(synthesizer, spoken[1], spoken[0], rng)


def _stranger(synthesizer: Synthesizer, text: str, language: str, rng: np.random.Generator) -> Pcm:
    takes = synthesize_words(
        [text],
        language,
        takes=1,
        seed=int(rng.integers(2**31)),
        variants=STRANGERS,
        synthesizer=synthesizer,
    )
    return next(takes)[1]


def _groups() -> Iterator[tuple[str, Mapping[str, Sequence[str]], int]]:
    """Yield each label with its texts by language and the takes of each text."""
    for label, said in SPOKEN.items():
        yield label, {language: (text,) for language, text in said.items()}, TAKES // len(said)
    yield UNKNOWN, CLOSE, _CLOSE_TAKES
    yield UNKNOWN, everyday_words(), _EVERYDAY_TAKES


def _pause(rng: np.random.Generator, seconds: float) -> Pcm:
    return np.zeros(int(SAMPLE_RATE * seconds * rng.uniform(0.8, 1.2)), np.int16)


def _fan(rng: np.random.Generator, samples: int) -> Floats:
    """Return (samples,) pink noise of an RMS of 180 on the int16 scale: a fan across the room."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    x = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 30.0)), samples)
    fan: Floats = (x * (180.0 / x.std())).astype(np.float32)
    return fan


def _write_truth(path: Path, placed: Sequence[Placed]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("start_seconds", "end_seconds", "label"))
        for each in placed:
            rows.writerow(
                (f"{each.start / SAMPLE_RATE:.3f}", f"{each.end / SAMPLE_RATE:.3f}", each.label)
            )
