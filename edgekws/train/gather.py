"""The corpus of a run: recordings, synthesized ones, and noise and other words if none came."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from edgekws.specs import RESERVED_LABELS, UNKNOWN
from edgekws.train.background import make_noise, make_other_words
from edgekws.train.dataset import Corpus, Folders, load_corpus
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe
from edgekws.train.synthesized import speak_commands

NOISE_RECORDINGS = 40
WORD_TAKES = 4
FEW_RECORDINGS = 10  # of a command; with fewer, one person's voice or room is learned instead


def gather(folders: Folders, recipe: Recipe, reporter: Reporter, *, sample_rate: int) -> Corpus:
    """Read the folders, speak what the recipe says; make noise and other words where none came.

    Raises DataError as `load_corpus` does, ConfigError and MissingExtraError as `speak_commands`
    does, MissingExtraError where words are needed and speech synthesis is not installed.
    """
    corpus = load_corpus(
        folders,
        commands=recipe.labels,
        recipe=recipe.data,
        sample_rate=sample_rate,
        progress=lambda done, total: reporter.progress("reading recordings", done, total),
    )
    commands = corpus.labels[len(RESERVED_LABELS) :]
    _warn_of_few(corpus, commands, reporter)
    spoken = speak_commands(commands, recipe, reporter)
    corpus = replace(corpus, clips=(*corpus.clips, *spoken))
    if not corpus.noise:
        reporter.say("no noise recordings given: making noise of many colours")
        made = make_noise(NOISE_RECORDINGS, seed=recipe.seed, sample_rate=sample_rate)
        corpus = replace(corpus, noise=tuple(made))
    if not any(clip.label == UNKNOWN for clip in corpus.clips):
        reporter.say("no other words given: speaking everyday words of several languages")
        words = make_other_words(commands, recipe, takes=WORD_TAKES)
        corpus = replace(corpus, clips=(*corpus.clips, *words))
    return corpus


def _warn_of_few(corpus: Corpus, commands: Sequence[str], reporter: Reporter) -> None:
    """Name the commands with few real recordings, and what that means."""
    counts = Counter(clip.label for clip in corpus.clips)
    few = [f"{label} {counts[label]}" for label in commands if counts[label] < FEW_RECORDINGS]
    if few:
        reporter.say(
            f"warning: few recordings ({', '.join(few)}): expect misses by other voices and in "
            f"other rooms, and figures that say little; {FEW_RECORDINGS} or more of a command, of "
            "several people, are a start"
        )
