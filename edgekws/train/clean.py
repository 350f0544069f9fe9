"""What a recipe's `[clean]` does to recordings before anything is learned from them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from edgekws.errors import ConfigError, DataError
from edgekws.events import Pcm
from edgekws.specs import RESERVED_LABELS
from edgekws.train.copies import all_copies
from edgekws.train.dataset import Clip, Corpus
from edgekws.train.denoise import denoise
from edgekws.train.findings import Examined, examine, shown
from edgekws.train.measure import RATE, Measures
from edgekws.train.pretrained import load_base
from edgekws.train.progress import Reporter
from edgekws.train.recipe_data import CleanRecipe
from edgekws.train.suspects import suspected

MARGIN: Final = RATE // 10  # samples left before and after the sound


def clean(corpus: Corpus, recipe: CleanRecipe, reporter: Reporter, *, base: str) -> Corpus:
    """Return a corpus as the recipe wants it, and say what was dropped; `base` hears suspects.

    Raises ConfigError for suspects without a base, DataError for a label that nothing is left of.
    """
    if recipe == CleanRecipe():
        return corpus
    examined = [examine(clip) for clip in corpus.clips]
    dropped = _dropped(examined, recipe, base)
    kept = [one for one in examined if id(one) not in dropped]
    if dropped:
        names = [one.name for one in examined if id(one) in dropped]
        counts = ", ".join(f"{n} {why}" for why, n in Counter(dropped.values()).items())
        reporter.say(f"cleaning drops {len(names)} recordings ({counts}): {shown(names)}")
    _require_both_sides(corpus, kept)
    return replace(corpus, clips=tuple(_put_right(one, recipe) for one in kept))


def put_right(pcm: Pcm, measures: Measures, recipe: CleanRecipe) -> Pcm:
    """Return (n,) int16 without offset, less noisy and trimmed, as far as the recipe says so."""
    if recipe.remove_offset:
        pcm = (pcm - round(measures.offset * 32768)).clip(-32768, 32767).astype(pcm.dtype)
    if recipe.denoise_db:
        pcm = denoise(pcm, recipe.denoise_db)
    if recipe.trim:
        pcm = pcm[max(0, measures.start - MARGIN) : measures.end + MARGIN]
    return pcm


def _put_right(one: Examined, recipe: CleanRecipe) -> Clip:
    """Change what is learned from; held-out recordings are what a device will hear."""
    if one.clip.split != "training":
        return one.clip
    return replace(one.clip, pcm=put_right(one.clip.pcm, one.measures, recipe))


def _dropped(examined: Sequence[Examined], recipe: CleanRecipe, base: str) -> dict[int, str]:
    """Return why each recording goes, by the id of what goes."""
    found: dict[int, str] = {}
    learned = [one for one in examined if one.clip.split == "training"]
    if recipe.drop_no_speech:
        found |= _reasons((one for one in examined if not one.is_speech), "without speech")
    if recipe.drop_copies:
        found |= _reasons(_superfluous(examined), "copies")
    if recipe.drop_clipped:
        found |= _reasons((one for one in learned if one.measures.is_clipped), "clipped")
    if recipe.drop_suspects:
        if not base:
            raise ConfigError("clean.drop_suspects: needs a base to hear them; name one in base")
        heard = suspected(examined, load_base(base))
        found |= _reasons((one for one, _ in heard if one.clip.split == "training"), "suspects")
    return found


def _superfluous(examined: Sequence[Examined]) -> Iterator[Examined]:
    """Give the later one of each two copies; both where it is open which label is right."""
    for first, second in all_copies(examined):
        yield second
        if first.clip.label != second.clip.label:
            yield first


def _reasons(ones: Iterable[Examined], why: str) -> dict[int, str]:
    return {id(one): why for one in ones}


def _require_both_sides(corpus: Corpus, kept: Sequence[Examined]) -> None:
    sides = {(one.clip.label, one.clip.split) for one in kept}
    for label in corpus.labels:
        for split, what in (("training", "learn from"), ("validation", "check with")):
            if label not in RESERVED_LABELS and (label, split) not in sides:
                raise DataError(
                    f"label {label!r}: cleaning leaves no recording to {what}; record more, or "
                    "take less of [clean]"
                )
