"""What an audio source is, and where each one lives: nothing heavy is imported until asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, Self, cast

import msgspec

from edgekws.errors import UsageError
from edgekws.events import Block

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mic": "edgekws.audio.microphone:Microphone",
        "exec": "edgekws.audio.child:ChildSource",
        "tcp": "edgekws.audio.satellite:Satellite",
        "wav": "edgekws.audio.wav:WavSource",
        "-": "edgekws.audio.stdin:StdinSource",
    }
)
"""Source name to "module:Class"; others plug in through the entry-point group of SOURCE_GROUP."""

SOURCE_GROUP: Final = "edgekws.sources"
LIVE: Final = ("mic", "exec", "tcp")
"""The names of those that are a `LiveSource`."""

FORMS: Final = (
    "mic:",
    "mic:NAME",
    "wav:PATH",
    "- (raw s16le on stdin)",
    "exec:PROGRAM ARG ...",
    "tcp://HOST:PORT",
)


class Condition(msgspec.Struct, frozen=True):
    """How a source is at a moment; the texts are one line each, empty where all is well.

    `trouble` is why nothing can be heard now, `complaint` what is wrong though all is heard.
    `working_since` is the monotonic time at which a call that may hang began, None in between.
    """

    live: bool = False
    device: str = ""
    trouble: str = ""
    complaint: str = ""
    dropped_frames: int = 0
    reopenings: int = 0
    working_since: float | None = None


class AudioSource(Protocol):
    """Gives Blocks of int16 mono from entering until its end, a stop, or a SourceError."""

    @property
    def name(self) -> str:
        """What a person calls this source, such as "wav:kitchen.wav"."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *fault: object) -> None: ...

    def __iter__(self) -> Iterator[Block]: ...

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        ...


class LiveSource(AudioSource, Protocol):
    """A source that never ends by itself, and may be entered again after it died."""

    @property
    def device(self) -> str:
        """What was opened last, in the words of the system; empty before."""
        ...

    @property
    def dropped_frames(self) -> int:
        """How many frames were lost since it was opened."""
        ...


class SourceFactory(Protocol):
    """Builds a source from the text after the colon, without opening anything yet."""

    def __call__(self, argument: str, *, sample_rate: int, block_samples: int) -> AudioSource:
        """Raise UsageError for a senseless argument; all else can wait until entering."""
        ...


def open_source(text: str, *, sample_rate: int, block_samples: int) -> AudioSource:
    """Build the source that a text such as "mic:", "wav:PATH" or a plug-in's "NAME:..." names.

    Blocks come at `sample_rate` Hz and mostly `block_samples` long. The source opens on entering.

    Raises:
        UsageError: no source has this name, or the text after the colon is senseless for it.
    """
    name, _, argument = text.partition(":")
    factory = _built_in(name) or _plugged_in(name)
    if factory is None:
        raise UsageError(f"unknown audio source {text!r}; there is {', '.join(_forms())}")
    return factory(argument, sample_rate=sample_rate, block_samples=block_samples)


def _built_in(name: str) -> SourceFactory | None:
    if name not in SOURCES:
        return None
    module, _, attribute = SOURCES[name].partition(":")
    return cast(SourceFactory, getattr(import_module(module), attribute))


def _plugins() -> "EntryPoints":
    from importlib.metadata import entry_points  # 25 ms and 3 MB, spared where ours are named

    return entry_points(group=SOURCE_GROUP)


def _plugged_in(name: str) -> SourceFactory | None:
    for entry in _plugins().select(name=name):
        try:
            return cast(SourceFactory, entry.load())
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"audio source {name!r} cannot be loaded from {entry.value} ({error});"
                " install its package again or name another source"
            ) from error
    return None


def _forms() -> list[str]:
    plugged = sorted({entry.name for entry in _plugins()})
    return [*FORMS, *(f"{name}:" for name in plugged)]
