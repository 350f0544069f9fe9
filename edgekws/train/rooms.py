"""Simulated rooms: impulse responses by the image method, unlike the tails of `reverberate`."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgekws.events import Floats

SOUND_METRES_PER_SECOND: Final = 343.0
SIZES_METRES: Final = ((3.0, 8.0), (3.0, 6.0), (2.4, 3.2))
RT60_SECONDS: Final = (0.3, 0.7)
FROM_WALLS_METRES: Final = 0.5


@dataclass(frozen=True, slots=True)
class Room:
    """A box with one wall material: size, source and microphone in metres, (3,) each."""

    size: NDArray[np.float64]
    source: NDArray[np.float64]
    microphone: NDArray[np.float64]
    rt60_seconds: float


def draw_room(rng: Generator, *, least_metres: float) -> Room:
    """Return a random room in which the speaker is at least so far from the microphone."""
    while True:
        size = np.array([rng.uniform(*ends) for ends in SIZES_METRES])
        source, microphone = rng.uniform(FROM_WALLS_METRES, size - FROM_WALLS_METRES, (2, 3))
        if np.linalg.norm(source - microphone) >= least_metres:
            return Room(size, source, microphone, rng.uniform(*RT60_SECONDS))


def impulse_response(room: Room, *, sample_rate: int) -> Floats:
    """Return the response (n,) from the direct sound on, which has amplitude 1.

    Allen and Berkley 1979, with whole-sample delays; the walls' absorption follows from the
    reverberation time by Sabine's formula.
    """
    reach = SOUND_METRES_PER_SECOND * room.rt60_seconds  # of the sound until it is 60 dB down
    images, bounces = _images(room, reach)
    distance = np.linalg.norm(images - room.microphone, axis=1)
    near = distance < reach
    direct = float(distance.min())
    delays = (distance[near] - direct) / SOUND_METRES_PER_SECOND * sample_rate
    heights = _reflection(room) ** bounces[near] * direct / distance[near]
    places = np.rint(delays).astype(np.int64)
    return np.bincount(places, heights).astype(np.float32)


def _images(room: Room, reach: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the mirror images of the source (n, 3) and how many walls each was mirrored at."""
    sides = []
    for length, place in zip(room.size, room.source, strict=True):
        turns = np.arange(-int(reach / 2 / length) - 1, int(reach / 2 / length) + 2)
        straight = np.stack((2 * turns * length + place, np.abs(2 * turns)), axis=1)
        mirrored = np.stack((2 * turns * length - place, np.abs(2 * turns - 1)), axis=1)
        sides.append(np.concatenate((straight, mirrored)))
    grid = np.stack(np.meshgrid(*(np.arange(len(side)) for side in sides)), axis=-1).reshape(-1, 3)
    picked = np.stack([side[grid[:, axis]] for axis, side in enumerate(sides)], axis=1)  # (n, 3, 2)
    return picked[:, :, 0], picked[:, :, 1].sum(axis=1).astype(np.int64)


def _reflection(room: Room) -> float:
    """Return the share of the pressure that a wall gives back."""
    x, y, z = room.size
    surface, volume = 2 * (x * y + y * z + z * x), x * y * z
    absorbed = 0.161 * volume / (surface * room.rt60_seconds)
    return float(np.sqrt(max(0.0, 1 - absorbed)))
