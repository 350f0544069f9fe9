"""The corpus of a run: the person's recordings, and noise and other words where they gave none."""

from dataclasses import replace

from edgekws.specs import UNKNOWN
from edgekws.train.background import make_noise, make_other_words
from edgekws.train.dataset import Corpus, Folders, load_corpus
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe

NOISE_RECORDINGS = 40
WORD_TAKES = 4


def gather(folders: Folders, recipe: Recipe, reporter: Reporter, *, sample_rate: int) -> Corpus:
    """Read the folders; make noise and other words where they hold none, and say so.

    Raises DataError as `load_corpus` does, MissingExtraError where words are needed and speech
    synthesis is not installed.
    """
    corpus = load_corpus(
        folders,
        commands=recipe.labels,
        recipe=recipe.data,
        sample_rate=sample_rate,
        progress=lambda done, total: reporter.progress("reading recordings", done, total),
    )
    if not corpus.noise:
        reporter.say("no noise recordings given: making noise of many colours")
        made = make_noise(NOISE_RECORDINGS, seed=recipe.seed, sample_rate=sample_rate)
        corpus = replace(corpus, noise=tuple(made))
    if not any(clip.label == UNKNOWN for clip in corpus.clips):
        reporter.say("no other words given: speaking everyday words of several languages")
        words = make_other_words(corpus.labels[2:], recipe, takes=WORD_TAKES)
        corpus = replace(corpus, clips=(*corpus.clips, *words))
    return corpus
