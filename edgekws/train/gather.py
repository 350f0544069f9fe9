"""The corpus of a run: recordings, synthesized ones, and noise and other words if none came."""

from dataclasses import replace

from edgekws.errors import DataError
from edgekws.specs import RESERVED_LABELS, UNKNOWN
from edgekws.train.background import make_noise, make_other_words
from edgekws.train.clean import clean
from edgekws.train.copies import exact_copies, in_two_labels
from edgekws.train.dataset import Corpus, Folders, list_audio, load_corpus
from edgekws.train.findings import examine, few_recordings, no_speech
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe
from edgekws.train.synthesized import speak_commands

NOISE_RECORDINGS = 40
WORD_TAKES = 4


def gather(folders: Folders, recipe: Recipe, reporter: Reporter, *, sample_rate: int) -> Corpus:
    """Read the folders, speak what the recipe says; make noise and other words where none came.

    Raises DataError as `load_corpus` does and for labels that hold the same recordings,
    ConfigError and MissingExtraError as `speak_commands` does, MissingExtraError where words are
    needed and speech synthesis is not installed.
    """
    corpus = load_corpus(
        folders,
        commands=recipe.labels,
        recipe=recipe.data,
        sample_rate=sample_rate,
        progress=lambda done, total: reporter.progress("reading recordings", done, total),
    )
    corpus = clean(corpus, recipe.clean, reporter, base=recipe.base)
    _examine(corpus, folders, reporter)
    commands = corpus.labels[len(RESERVED_LABELS) :]
    spoken = speak_commands(commands, recipe, reporter)
    corpus = replace(corpus, clips=(*corpus.clips, *spoken))
    if not corpus.noise:
        reporter.say("no noise recordings given: making noise of many colours")
        made = make_noise(NOISE_RECORDINGS, seed=recipe.seed, sample_rate=sample_rate)
        corpus = replace(corpus, noise=tuple(made))
    if not _has_other_words(corpus, folders):
        reporter.say("no other words given: speaking everyday words of several languages")
        words = make_other_words(commands, recipe, takes=WORD_TAKES)
        corpus = replace(corpus, clips=(*corpus.clips, *words))
    return corpus


def _has_other_words(corpus: Corpus, folders: Folders) -> bool:
    """Return whether other words came; a few hard negatives do not stand for all there is."""
    hard = {path for folder in folders.hard_negatives for path in list_audio(folder)}
    return any(clip.label == UNKNOWN and clip.path not in hard for clip in corpus.clips)


def _examine(corpus: Corpus, folders: Folders, reporter: Reporter) -> None:
    """Say what of `edgekws data check` can be told quickly; DataError for labels that are one."""
    examined = [examine(clip) for clip in corpus.clips]
    for finding in in_two_labels(exact_copies(examined), examined, strict=False):
        if finding.severity == "fault":
            raise DataError(f"{folders.data}: {finding.message}")
        reporter.say(f"warning: {finding.message}")
    for finding in (*few_recordings(examined), *no_speech(examined)):
        reporter.say(f"warning: {finding.message}")
