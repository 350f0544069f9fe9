"""The tables of listen.toml whose form is the same for every bundle and sink."""

from typing import Final

from edgekws.specs import Spec

MAX_PORT: Final = 65_535
MIN_JOURNAL_BYTES: Final = 4_096
MAX_JOURNAL_BYTES: Final = 1 << 30
MAX_JOURNAL_FILES: Final = 100
MIN_VOICE_SECONDS: Final = 0.1
MAX_VOICE_SECONDS: Final = 2.5  # of the three that are held
MAX_CAPTURE_MEGABYTES: Final = 10_000.0
MAX_CAPTURE_DAYS: Final = 3_650.0


class SourceTable(Spec, frozen=True):
    """[source]: `text` is what `--source` takes."""

    text: str


class TriggerOverride(Spec, frozen=True):
    """[triggers.LABEL]: the values of a `TriggerSpec` that differ from the bundle's."""

    on: float | None = None
    off: float | None = None
    mean_samples: int | None = None
    consecutive: int | None = None
    refractory_samples: int | None = None


class ControlTable(Spec, frozen=True):
    """[control]: the socket that `edgekws ctl` asks at.

    A relative or absent `socket` lies in the folder for such things, `cli.places` says which.
    """

    socket: str = "control"

    def __post_init__(self) -> None:
        if not self.socket or "\0" in self.socket:
            raise ValueError("socket needs to be a path")


class MetricsTable(Spec, frozen=True):
    """[metrics]: a file that is replaced every ten seconds, a port on 127.0.0.1, or both.

    Port 0 is one that is free, which a line on stderr names.
    """

    textfile: str | None = None
    port: int | None = None

    def __post_init__(self) -> None:
        if self.textfile is None and self.port is None:
            raise ValueError("name a textfile, a port, or both")
        if self.textfile == "":
            raise ValueError("textfile needs to be a path")
        if self.port is not None and not 0 <= self.port <= MAX_PORT:
            raise ValueError(f"need 0 <= port <= {MAX_PORT}")


class VoiceTable(Spec, frozen=True):
    """[voice]: a command counts only if a voice was heard in the last `seconds`.

    `threshold` is how sure the voice detector has to be, between 0 and 1.
    """

    threshold: float = 0.5
    seconds: float = 1.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError("need 0 < threshold < 1")
        if not MIN_VOICE_SECONDS <= self.seconds <= MAX_VOICE_SECONDS:
            raise ValueError(f"need {MIN_VOICE_SECONDS} <= seconds <= {MAX_VOICE_SECONDS}")


class NearMissTable(Spec, frozen=True):
    """[near_misses]: told where a command's mean score rises to `fraction` of its `on`."""

    fraction: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise ValueError("need 0 < fraction < 1")


class CapturesTable(Spec, frozen=True):
    """[captures]: keeps the sound of near misses, encrypted; without this table none is kept.

    What is older than `max_days` goes, and the oldest that nobody labelled when `max_megabytes`
    are full. The key is made where there is none.
    """

    folder: str
    key_file: str
    max_megabytes: float = 50.0
    max_days: float = 30.0

    def __post_init__(self) -> None:
        if not (self.folder and self.key_file):
            raise ValueError("folder and key_file need to be paths")
        if not 0 < self.max_megabytes <= MAX_CAPTURE_MEGABYTES:
            raise ValueError(f"need 0 < max_megabytes <= {MAX_CAPTURE_MEGABYTES:g}")
        if not 0 < self.max_days <= MAX_CAPTURE_DAYS:
            raise ValueError(f"need 0 < max_days <= {MAX_CAPTURE_DAYS:g}")


class JournalTable(Spec, frozen=True):
    """[journal]: a file of JSON lines; at `max_bytes` it becomes PATH.1, and so on to `files`."""

    path: str
    max_bytes: int = 10_000_000
    files: int = 5

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("path needs to be a path")
        if not MIN_JOURNAL_BYTES <= self.max_bytes <= MAX_JOURNAL_BYTES:
            raise ValueError(f"need {MIN_JOURNAL_BYTES} <= max_bytes <= {MAX_JOURNAL_BYTES}")
        if not 1 <= self.files <= MAX_JOURNAL_FILES:
            raise ValueError(f"need 1 <= files <= {MAX_JOURNAL_FILES}")
