"""Piper's neural voices: files that a person has downloaded, one or many speakers in each.

The program is GPL-3.0-or-later, and every voice has a licence of its own: see its MODEL_CARD.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgekws.audio.extras import load_extra
from edgekws.errors import DataError, UsageError
from edgekws.events import Floats, Pcm
from edgekws.train.synth import PLAIN, USUAL_RATE_WPM, Delivery, finish

_SEED: Final = 1  # of the noise in the nets; what a person's seed changes is the delivery
_SPELLINGS: Final = ("espeak", "text")  # others fetch or need further packages
_ADVICE: Final = "take the .onnx and the .onnx.json of a voice from one place"


class PiperSynthesizer:
    """Says texts in a voice such as "en+en_US-joe-medium", or "en+en_US-libritts-high-12".

    A net has no pitch to set: `pitch_range` sets how much it varies, `tract` shifts the pitch too.
    Raises MissingExtraError without piper-tts, UsageError without files, DataError for bad ones.
    """

    def __init__(self, voices: tuple[str, ...] = ()) -> None:
        if not voices:
            raise UsageError(
                "piper speaks in voices that you have: name an .onnx file with --voice"
            )
        self._piper = load_extra("piper", extra="piper", purpose="speech synthesis by Piper")
        from edgekws.engines.onnx_session import LOAD_ERRORS

        self._faults = (*LOAD_ERRORS, AttributeError, LookupError, OSError, TypeError)
        self._files = {Path(voice).stem: self._open(Path(voice)) for voice in voices}

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the speakers of the files of a language; DataError where there is none."""
        base = language.partition("-")[0]
        names = [
            name
            for stem, file in self._files.items()
            if file.config.espeak_voice.partition("-")[0] == base
            for name in _speakers(stem, file.config.num_speakers)
        ]
        if not names:
            spoken = {file.config.espeak_voice for file in self._files.values()}
            raise DataError(
                f"no Piper voice of {language!r}: the files speak {', '.join(sorted(spoken))}"
            )
        return tuple(f"{base}+{name}" for name in names)

    def say(self, text: str, *, voice: str, delivery: Delivery = PLAIN) -> Pcm:
        """Return (n,) int16 at 16 kHz; DataError for an unknown voice or an unspeakable text."""
        file, speaker = self._find(voice)
        config = file.config
        settings = self._piper.SynthesisConfig(
            speaker_id=speaker,
            length_scale=config.length_scale * USUAL_RATE_WPM / delivery.rate_wpm,
            noise_scale=config.noise_scale * (0.5 + delivery.pitch_range / 100),
        )
        try:
            pieces = [chunk.audio_float_array for chunk in file.synthesize(text, settings)]
        except self._faults as fault:
            raise DataError(f"voice {voice} could not say {text!r} ({fault}); {_ADVICE}") from fault
        x: Floats = np.concatenate([np.zeros(0, np.float32), *pieces])
        return finish(x, config.sample_rate, text, voice=voice, delivery=delivery)

    def _find(self, voice: str) -> tuple[Any, int | None]:
        """Return the voice file and the number of the speaker in it, None where it has one."""
        name = voice.partition("+")[2]
        for stem, file in self._files.items():
            names = _speakers(stem, file.config.num_speakers)
            if name in names:
                return file, names.index(name) if len(names) > 1 else None
        raise DataError(f"no Piper voice {voice!r} in {', '.join(self._files)}; name its file")

    def _open(self, path: Path) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # no slower for a word than two, and the same sums
        onnxruntime.set_seed(_SEED)
        try:
            settings = json.loads(Path(f"{path}.json").read_bytes())
            config = self._piper.PiperConfig.from_dict(settings)
            session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except self._faults as fault:
            raise DataError(f"{path}: not a Piper voice ({fault}); {_ADVICE}") from fault
        if config.phoneme_type not in _SPELLINGS:
            raise DataError(
                f"{path}: its {config.phoneme_type.value} spelling is not supported; take a voice "
                f"whose phoneme_type is {' or '.join(_SPELLINGS)}"
            )
        return self._piper.PiperVoice(session=session, config=config)


def _speakers(stem: str, count: int) -> tuple[str, ...]:
    return (stem,) if count <= 1 else tuple(f"{stem}-{number}" for number in range(count))
