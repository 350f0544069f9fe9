"""The commands of a run in synthesized voices: more to learn from where few people have spoken."""

from collections.abc import Iterator, Sequence
from itertools import cycle

from edgekws.train.dataset import Clip
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe, require_commands
from edgekws.train.recipe_data import SynthesisRecipe
from edgekws.train.synth import open_synthesizer, synthesize_words


def speak_commands(commands: Sequence[str], recipe: Recipe, reporter: Reporter) -> list[Clip]:
    """Return the takes that `recipe.synthesis` asks for, all of them to learn from.

    A command is said as it is written, _ as a space. Its takes are a group of their own beside the
    real recordings, which they cannot crowd out. Raises ConfigError for what is no command,
    DataError for a language without a voice, MissingExtraError for an engine that is not there.
    """
    require_commands("data.languages", tuple(recipe.data.languages), commands)
    clips: list[Clip] = []
    for number, part in enumerate(recipe.synthesis):
        require_commands("synthesis.labels", part.labels, commands)
        labels = part.labels or commands
        reporter.say(f"{part.engine} speaks {part.takes} takes of each of {len(labels)} command(s)")
        for done, clip in enumerate(_speak(part, labels, recipe, number), 1):
            clips.append(clip)
            reporter.progress("speaking", done, part.takes * len(labels))
    return clips


def _speak(
    part: SynthesisRecipe, commands: Sequence[str], recipe: Recipe, number: int
) -> Iterator[Clip]:
    """Give the takes of one [[synthesis]], language by language."""
    synthesizer = open_synthesizer(part.engine, voices=part.voices)
    for language in recipe.data.languages_of(commands):
        labels = [label for label in commands if recipe.data.language_of(label) == language]
        texts = [label.replace("_", " ") for label in labels]
        spoken = synthesize_words(
            texts, language, takes=part.takes, seed=recipe.seed + number, synthesizer=synthesizer
        )
        for (_speaker, pcm), label in zip(spoken, cycle(labels), strict=False):
            yield Clip(pcm, label, f"{label} synthesized", "training")
