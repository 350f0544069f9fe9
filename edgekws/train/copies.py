"""Findings about recordings that are there more than once, and about who is on both sides."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from edgekws.train.duplicates import near_duplicates
from edgekws.train.findings import Examined, Finding, shown

SAME_SHARE: Final = 0.5  # of the smaller label's recordings: so many shared, and the labels are one
Pair = tuple[Examined, Examined]


def exact_copies(examined: Sequence[Examined]) -> list[Pair]:
    """Return pairs of recordings of the same samples; silence is nobody's copy."""
    first: dict[bytes, Examined] = {}
    pairs = []
    for one in examined:
        if one.is_speech and (other := first.setdefault(one.digest, one)) is not one:
            pairs.append((other, one))
    return pairs


def all_copies(examined: Sequence[Examined]) -> list[Pair]:
    """Return pairs of recordings of the same sound, however they were cut, coded or amplified."""
    exact = exact_copies(examined)
    copied = {id(copy) for _, copy in exact}
    single = [one for one in examined if one.is_speech and id(one) not in copied]
    near = near_duplicates([one.clip.pcm for one in single], [one.fingerprint for one in single])
    return exact + [(single[a], single[b]) for a, b in near]


def in_two_labels(
    pairs: Sequence[Pair], examined: Sequence[Examined], *, strict: bool
) -> Iterator[Finding]:
    """Tell of labels that share recordings.

    A fault where half of the smaller label is in the other; `strict` makes one recording a fault.
    """
    counts = Counter(one.clip.label for one in examined)
    shared: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for x, y in pairs:
        if x.clip.label != y.clip.label:
            shared[x.clip.label, y.clip.label].append((x, y))
    for (a, b), own in shared.items():
        smaller = min(counts[a], counts[b])
        whole = len(own) >= SAME_SHARE * smaller
        yield Finding(
            severity="fault" if whole or strict else "warning",
            kind="same_recordings",
            label=a,
            message=f"labels {a!r} and {b!r} hold the same recordings ({len(own)} of {smaller}): "
            f"{_equations(own)}; keep each under the one label that is spoken",
            files=_files(own),
        )


def in_two_splits(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Tell of recordings that are learned from and checked with."""
    torn = [(x, y) for x, y in pairs if x.clip.split != y.clip.split]
    for label, own in _pairs_by_label(torn).items():
        yield Finding(
            severity="fault",
            kind="clip_in_two_splits",
            label=label,
            message=f"label {label!r}: {_copied(own)} recordings are both learned from and checked "
            f"with: {_equations(own)}; delete the copies, or the figures flatter",
            files=_files(own),
        )


def repeated(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Warn of copies within a label and a split: they count as more than they are."""
    alike = [
        (x, y) for x, y in pairs if (x.clip.label, x.clip.split) == (y.clip.label, y.clip.split)
    ]
    for label, own in _pairs_by_label(alike).items():
        yield Finding(
            severity="warning",
            kind="duplicates",
            label=label,
            message=f"label {label!r}: {_copied(own)} recordings are copies: {_equations(own)}",
            files=_files(own),
        )


def speakers(examined: Sequence[Examined]) -> Iterator[Finding]:
    """Tell of speakers on both sides, of a set with one speaker, and of one that names none."""
    places: dict[str, list[Examined]] = defaultdict(list)
    for one in examined:
        places[one.speaker or ""].append(one)
    unnamed, named = places.pop("", []), sorted(places)
    if unnamed:
        yield Finding(
            severity="warning",
            kind="no_speakers",
            label="",
            message=f"{len(unnamed)} of {len(examined)} recordings name no speaker: who is learned "
            "from may be checked with; name files <speaker>_nohash_<n>.wav",
            files=tuple(one.file for one in unnamed),
        )
    if len(named) == 1 and not unnamed:
        yield Finding(
            severity="warning",
            kind="one_speaker",
            label="",
            message=f"all recordings are by {named[0]}: the figures say nothing of other voices",
            files=(),
        )
        return
    torn = [who for who in named if len({one.clip.split for one in places[who]}) > 1]
    if torn:
        yield Finding(
            severity="fault",
            kind="speaker_in_two_splits",
            label="",
            message=f"{len(torn)} speakers are both learned from and checked with: {shown(torn)}; "
            "record every label with two speakers or more and name all files "
            "<speaker>_nohash_<n>.wav, or keep each speaker in one split folder",
            files=tuple(one.file for who in torn for one in places[who]),
        )


def _pairs_by_label(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        found[pair[1].clip.label].append(pair)
    return found


def _copied(pairs: Sequence[Pair]) -> int:
    """Return how many recordings are a copy of an earlier one."""
    return len({copy.file for _, copy in pairs})


def _equations(pairs: Sequence[Pair]) -> str:
    return shown([f"{x.name} = {y.name}" for x, y in pairs])


def _files(pairs: Sequence[Pair]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.file for pair in pairs for one in pair))
