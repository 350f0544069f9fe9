"""The part of a recipe that is about recordings: classes, splits, and what examples go through."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, field

from edgekws.specs import Spec
from edgekws.train.recipe_values import Above0, Count, Positive, Share

Language = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*\Z")]


Codec = Literal["mp3", "opus", "vorbis"]


class DataRecipe(Spec, frozen=True):
    """How folders become classes and splits."""

    validation_percent: Annotated[float, Meta(gt=0, lt=100)] = 15.0
    """Share of speakers (or clips, where no speaker is named) that is held out."""
    test_percent: Annotated[float, Meta(ge=0, lt=100)] = 0.0
    """Share of speakers left out; 10 with Speech Commands leaves its official test set alone."""
    unknown_fraction: Share = 0.2
    """Share of training examples that are other words."""
    silence_fraction: Share = 0.1
    """Share of training examples that are noise alone."""
    examples_per_epoch: Count = 0
    """Training examples per epoch; 0 takes four per clip, at least 1,000 and at most 32,000."""
    balance: Share = 0.5
    """A class is drawn in proportion to its clips to this power: 1 as they are, 0 all alike."""
    language: Language = "en"
    """The language of the commands, as eSpeak NG names it: en, de, cmn, ar, ..."""
    languages: dict[str, Language] = field(default_factory=dict)
    """The language of each command that is of another."""

    def language_of(self, label: str) -> str:
        """Return the language of a command."""
        return self.languages.get(label, self.language)

    def languages_of(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Return the languages of commands, each once, in their order."""
        return tuple(dict.fromkeys(map(self.language_of, labels)))


class CleanRecipe(Spec, frozen=True):
    """What is put right before anything is learned; held-out recordings keep their sound."""

    drop_no_speech: bool = False
    """Silent recordings, and those that are steady as noise and tones are, from all splits."""
    drop_copies: bool = False
    """All but the first of recordings that are the same, from all splits; all if labels differ."""
    drop_clipped: bool = False
    drop_suspects: bool = False
    """Recordings that sound like another label to the base."""
    remove_offset: bool = False
    trim: bool = False
    """Cut the quiet before and after the sound, all but a tenth of a second."""
    denoise_db: Annotated[float, Meta(ge=0, le=60)] = 0.0
    """Lower steady noise by so much; a device does not, so that this can do harm."""


class SynthesisRecipe(Spec, frozen=True):
    """Takes of the commands by synthesized voices, to learn from beside the real recordings."""

    takes: Positive
    """Of each command."""
    engine: Literal["espeak", "flite", "piper"] = "espeak"
    voices: tuple[str, ...] = ()
    """Keeps to these voices; for piper its .onnx files."""
    labels: tuple[str, ...] = ()
    """The commands it speaks; empty is all."""

    def __post_init__(self) -> None:
        if self.engine == "piper" and not self.voices:
            raise ValueError("voices: piper speaks in voices that you have, name their .onnx files")


class AugmentRecipe(Spec, frozen=True):
    """What a training example goes through; probabilities are 0 to 1."""

    shift_samples: Count = 1600
    """Largest shift of a clip to either side."""
    lead_frames: Annotated[tuple[Count, ...], Meta(min_length=1)] = (0, 8, 24, 48, 96)
    """Frames of sound before the window, drawn per batch; 0 starts from a fresh state."""
    joined_probability: Share = 0.5
    """Share of the examples of other words that are many of them, joined to talk."""
    context_probability: Share = 0.5
    """Share of the examples in which other words come before the window, not a pause."""
    noise_probability: Share = 0.8
    snr_db: tuple[float, float] = (0.0, 35.0)
    noise_speed: tuple[Above0, Above0] = (1.0, 1.0)
    """Of noise, alone and under speech: other speeds are other sounds, where there are few."""
    gain_db: tuple[float, float] = (-18.0, 6.0)
    speed_probability: Share = 0.5
    speed: tuple[Above0, Above0] = (0.88, 1.14)
    reverb_probability: Share = 0.2
    reverb_seconds: tuple[Above0, Above0] = (0.1, 0.5)
    tempo_probability: Share = 0.0
    """Of another tempo at the same pitch; needs the extra `augment`, as the next one does."""
    tempo: tuple[Above0, Above0] = (0.85, 1.2)
    pitch_probability: Share = 0.0
    pitch_semitones: tuple[float, float] = (-3.0, 3.0)
    room_probability: Share = 0.0
    """Of a room simulated by image sources, with early reflections; else the other one may come."""
    telephone_probability: Share = 0.0
    codec_probability: Share = 0.0
    codecs: Annotated[tuple[Codec, ...], Meta(min_length=1)] = ("mp3", "opus", "vorbis")
    overdrive_probability: Share = 0.0
    overdrive_db: tuple[float, float] = (3.0, 15.0)
    """How far the peak goes beyond full scale, where it is cut off."""
    frequency_masks: Count = 2
    frequency_mask_bands: Count = 6
    time_masks: Count = 2
    time_mask_frames: Count = 14
