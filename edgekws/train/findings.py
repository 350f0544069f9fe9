"""What may be wrong with a set of recordings, each finding with its files and what to do."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edgekws.events import Floats
from edgekws.specs import UNKNOWN, Spec
from edgekws.train.dataset import Clip
from edgekws.train.duplicates import digest, fingerprint
from edgekws.train.measure import RATE, Measures, measure, spectrum_of
from edgekws.train.split import speaker_of

FEW: Final = 10  # recordings of a label, below which its figures are mostly chance
SHORTEST_SECONDS: Final = 0.1  # of sound: less is a click or a cut-off word
LONGEST_SECONDS: Final = 4.0  # of a recording of one command
_SHOWN: Final = 3  # file names in a message

Severity = Literal["fault", "warning"]


class Finding(Spec, frozen=True):
    """A fault spoils a training on the set, a warning is to be known; `files` are all it is of."""

    severity: Severity
    kind: str
    label: str
    message: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A recording that was read and measured."""

    clip: Clip
    measures: Measures
    digest: bytes
    fingerprint: Floats

    @property
    def file(self) -> str:
        """The path of the recording, or what stands for one that was made on the spot."""
        return str(self.clip.path or f"<{self.clip.group}>")

    @property
    def name(self) -> str:
        """What a message calls it: its folder and its file."""
        path = self.clip.path
        return f"{path.parent.name}/{path.name}" if path else self.file

    @property
    def speaker(self) -> str | None:
        """Who speaks, as far as the file's name says."""
        return speaker_of(self.clip.path) if self.clip.path else None

    @property
    def is_speech(self) -> bool:
        """Whether it can be speech: loud enough, and not the same throughout."""
        return not (self.measures.is_silent or self.measures.is_steady)


def examine(clip: Clip) -> Examined:
    """Measure one recording."""
    spectrum = spectrum_of(clip.pcm)
    measures = measure(clip.pcm, spectrum)
    return Examined(clip, measures, digest(clip.pcm), fingerprint(spectrum.mel))


def shown(files: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    names = ", ".join(files[:_SHOWN])
    return names if len(files) <= _SHOWN else f"{names} and {len(files) - _SHOWN} more"


def few_recordings(examined: Sequence[Examined]) -> Iterator[Finding]:
    """Warn of labels with so few recordings that their figures mean little."""
    for label, own in by_label(examined).items():
        learned = sum(e.clip.split == "training" for e in own)
        if label != UNKNOWN and len(own) < FEW:
            yield finding_of(
                "warning",
                "few",
                own,
                f"{len(own)} recordings, {learned} to learn from and {len(own) - learned} to check "
                "with: expect misses by other voices and in other rooms, and figures and a "
                "threshold that say little; record 20 or more of several people, or add some by "
                "`edgekws synth`",
            )


def no_speech(examined: Sequence[Examined]) -> Iterator[Finding]:
    """Tell of recordings that hold no speech; a fault where half of a label is of that kind."""
    for own in by_label(examined).values():
        bad = [e for e in own if not e.is_speech]
        if not bad:
            continue
        silent = sum(e.measures.is_silent for e in bad)
        yield finding_of(
            "fault" if 2 * len(bad) >= len(own) else "warning",
            "no_speech",
            bad,
            f"{len(bad)} of {len(own)} recordings hold no speech ({silent} silent, "
            f"{len(bad) - silent} steady as noise or a tone): {shown([e.name for e in bad])}; "
            "record them again, or move noise to _background_noise_",
        )


def one_of_many(
    examined: Sequence[Examined],
    kind: str,
    what: str,
    is_so: Callable[[Examined], bool],
) -> Iterator[Finding]:
    """Warn of the recordings of each label that are `what`, such as clipped."""
    for own in by_label(examined).values():
        bad = [e for e in own if is_so(e)]
        if bad:
            text = f"{len(bad)} of {len(own)} recordings {what}: {shown([e.name for e in bad])}"
            yield finding_of("warning", kind, bad, text)


def bad_takes(examined: Sequence[Examined]) -> Iterator[Finding]:
    """Warn of recordings that are clipped, off zero, too short, or too long for a command."""
    commands = [e for e in examined if e.clip.label != UNKNOWN]
    yield from one_of_many(
        examined, "clipped", "are clipped (too loud)", lambda e: e.measures.is_clipped
    )
    yield from one_of_many(
        examined, "offset", "do not swing about zero", lambda e: e.measures.is_offset
    )
    yield from one_of_many(
        commands,
        "short",
        f"hold less than {SHORTEST_SECONDS} s of sound",
        lambda e: e.measures.end - e.measures.start < SHORTEST_SECONDS * RATE,
    )
    yield from one_of_many(
        commands,
        "long",
        f"are longer than {LONGEST_SECONDS:.0f} s; only the loudest second is learned",
        lambda e: e.measures.samples > LONGEST_SECONDS * RATE,
    )


def by_label(examined: Iterable[Examined]) -> dict[str, list[Examined]]:
    """Return the recordings of each label, in the order of their coming."""
    found: dict[str, list[Examined]] = defaultdict(list)
    for one in examined:
        found[one.clip.label].append(one)
    return found


def finding_of(severity: Severity, kind: str, own: Sequence[Examined], message: str) -> Finding:
    """Return a finding about recordings of one label."""
    label = own[0].clip.label
    return Finding(
        severity=severity,
        kind=kind,
        label=label,
        message=f"label {label!r}: {message}",
        files=tuple(e.file for e in own),
    )
