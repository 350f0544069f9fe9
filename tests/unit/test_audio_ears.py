"""A source that dies comes back; time goes on over the loss, and nothing else is taken for it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Self

import numpy as np
import pytest

from edgekws.audio.ears import Ears, Pauses
from edgekws.errors import EdgekwsError, SourceError
from edgekws.events import Block, Pcm

RATE: Final = 16_000
BLOCK: Final = 1600
PAUSES: Final = Pauses(opening=(0.001, 0.002), unchanged=(2.0, 32.0))
SOUND: Final = np.random.default_rng(4).integers(1, 500, BLOCK).astype(np.int16)
ZEROS: Final = np.zeros(BLOCK, np.int16)


class Clock:
    """Stands still but for what is added."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Tape:
    """A live source of one life per opening: sounds, and the error that ends it."""

    lives: list[tuple[list[Pcm], Exception | None]]
    clock: Clock = field(default_factory=Clock)
    name: str = "mic:test"
    device: str = "USB"
    dropped_frames: int = 5
    opened: int = 0
    closed: int = 0
    stopped: bool = False

    def __enter__(self) -> Self:
        self.opened += 1
        sounds, error = self.lives[self.opened - 1]
        if error is not None and not sounds:
            raise error
        return self

    def __exit__(self, *fault: object) -> None:
        self.closed += 1

    def __iter__(self) -> Iterator[Block]:
        sounds, error = self.lives[self.opened - 1]
        for number, pcm in enumerate(sounds):
            if self.stopped:
                return
            self.clock.seconds += BLOCK / RATE
            yield Block(pcm, number * BLOCK, RATE)
        if error is not None:
            raise error

    def stop(self) -> None:
        self.stopped = True


DIED: Final = SourceError("no audio for 1.8 s")
ABSENT: Final = ([], SourceError("no input device matches 'test'"))


def hear(tape: Tape, *, blocks: int, then: Callable[[Ears], None] = lambda _: None) -> list[Block]:
    """Take so many blocks, then end it."""
    with Ears(tape, pauses=PAUSES, clock=tape.clock) as ears:
        heard = list(islice(ears, blocks))
        then(ears)
        ears.stop()
    assert tape.closed == tape.opened - sum(life == ABSENT for life in tape.lives[: tape.opened])
    return heard


def test_a_source_that_lives_is_left_as_it_is() -> None:
    tape = Tape([([SOUND] * 5, None)])
    heard = hear(tape, blocks=5)
    assert [block.start for block in heard] == [i * BLOCK for i in range(5)]
    assert tape.opened == 1


def test_one_that_dies_is_opened_until_it_comes_and_leaves_a_gap() -> None:
    tape = Tape([([SOUND] * 3, DIED), ABSENT, ABSENT, ([SOUND] * 2, None)])

    def is_fine(ears: Ears) -> None:
        condition = ears.condition()
        assert (condition.trouble, condition.reopenings) == ("", 1)
        assert condition.dropped_frames == 10

    heard = hear(tape, blocks=5, then=is_fine)
    assert tape.opened == 4
    assert heard[3].start > heard[2].end
    assert heard[4].start == heard[3].end


def test_a_gap_is_as_long_as_the_loss() -> None:
    tape = Tape([([SOUND], DIED), ([SOUND], None)])
    with Ears(tape, pauses=PAUSES, clock=tape.clock) as ears:
        blocks = iter(ears)
        first = next(blocks)
        tape.clock.seconds += 7.0
        second = next(blocks)
        ears.stop()
    assert second.start - first.end == 7 * RATE


@pytest.mark.parametrize(
    ("lives", "told"),
    [
        (
            [([SOUND] * 3, DIED), ABSENT, ([SOUND] * 2, None)],
            ["no audio for 1.8 s", "no input device matches 'test'", ""],
        ),
        ([([SOUND, *[ZEROS] * 20], None), ([SOUND] * 2, None)], ["nothing but zeros for 2 s", ""]),
    ],
)
def test_what_begins_and_ends_is_told_at_once(
    lives: list[tuple[list[Pcm], Exception | None]], told: list[str]
) -> None:
    tape, heard = Tape(lives), [""]

    def note() -> None:
        trouble = ears.condition().trouble.partition(":")[0]
        heard.extend([trouble] if trouble != heard[-1] else [])

    with Ears(tape, pauses=PAUSES, clock=tape.clock) as ears:
        ears.on_change = note
        list(islice(ears, sum(len(sounds) for sounds, _ in lives)))
        ears.stop()
    assert heard[1:] == told


def test_while_it_is_gone_the_reason_is_known() -> None:
    reasons: list[str] = []
    tape = Tape([([SOUND], DIED), ABSENT, ([SOUND], None)], dropped_frames=0)

    def ask() -> float:
        reasons.append(ears.condition().trouble)
        return tape.clock.seconds

    ears = Ears(tape, pauses=PAUSES, clock=tape.clock)
    ears._clock = ask
    with ears:
        list(islice(ears, 2))
        ears.stop()
    assert "no audio for 1.8 s" in reasons
    assert "no input device matches 'test'" in reasons
    assert ears.condition().trouble == ""


def test_that_it_does_not_open_the_first_time_is_an_error() -> None:
    with pytest.raises(SourceError, match="no input device"), Ears(Tape([ABSENT]), pauses=PAUSES):
        pass


def test_with_wait_it_is_waited_for_from_the_start() -> None:
    tape = Tape([ABSENT, ABSENT, ([SOUND], None)])
    with Ears(tape, wait=True, pauses=PAUSES, clock=tape.clock) as ears:
        assert ears.condition().trouble == "no input device matches 'test'"
        assert next(iter(ears)).start == 0
        assert ears.condition().trouble == ""
        ears.stop()


def test_what_is_no_source_error_ends_it() -> None:
    tape = Tape([([SOUND], EdgekwsError("the audio callback died"))])
    with pytest.raises(EdgekwsError, match="callback"):
        hear(tape, blocks=2)


def test_lost_audio_is_complained_of_for_a_while() -> None:
    tape = Tape([([SOUND] * 300, None)], dropped_frames=0)
    with Ears(tape, pauses=PAUSES, clock=tape.clock) as ears:
        blocks = iter(ears)
        next(blocks)
        assert ears.condition().complaint == ""
        tape.dropped_frames = 160
        next(blocks)
        assert "audio is lost" in ears.condition().complaint
        assert ears.condition().trouble == ""
        list(islice(blocks, 101))
        assert ears.condition().complaint == ""
        ears.stop()


def test_zeros_are_trouble_and_opened_again_ever_more_rarely() -> None:
    lives: list[tuple[list[Pcm], Exception | None]] = [([SOUND, *[ZEROS] * 1000], None)]
    tape = Tape(lives + [([ZEROS] * 1000, None)] * 3)
    with Ears(tape, pauses=PAUSES, clock=tape.clock) as ears:
        seen = []
        for block in islice(ears, 300):
            seen.append((tape.opened, ears.condition().trouble, block.pcm.any()))
        ears.stop()
    troubled = [bool(trouble) for _, trouble, _ in seen]
    assert troubled.index(True) == 20  # two seconds of zeros, in blocks of a tenth
    assert all(troubled[20:])
    reopened = [i for i in range(1, 300) if seen[i][0] != seen[i - 1][0]]
    assert reopened == [21, 61, 141]  # after 2, 4 and 8 s


def test_a_source_that_sounds_again_is_at_once_without_trouble() -> None:
    tape = Tape([([SOUND, *[ZEROS] * 20], None), ([*[ZEROS] * 5, SOUND, ZEROS], None)])
    with Ears(tape, pauses=PAUSES, clock=tape.clock) as ears:
        troubles = [bool(ears.condition().trouble) for _ in islice(ears, 28)]
        ears.stop()
    assert troubles == [False] * 20 + [True] * 6 + [False] * 2


def test_a_stop_ends_the_waiting_for_a_source() -> None:
    tape = Tape([([SOUND], DIED), *[ABSENT] * 100_000])
    ears = Ears(tape, pauses=Pauses(opening=(60.0, 60.0)))
    timer = threading.Timer(0.05, ears.stop)
    timer.start()
    with ears:
        assert len(list(ears)) == 1
    timer.join()
