"""What fails, and with which exit code the command line then ends.

    EdgekwsError            1   any failure below, and an unforeseen one
    |-- UsageError          2   flags or names given on the command line
    |-- ConfigError         3   a recipe or a listen.toml
    |-- DataError           4   audio files, label folders, truth tables
    |-- BundleError         5   a bundle that is damaged, incomplete or not understood
    |-- SkewError           6   the device computes other figures than the golden vectors
    |-- MissingExtraError   7   an optional package that is not installed
    |-- SourceError         8   a microphone or stream that cannot be opened or died
    |-- SinkError           9   a sink that cannot be built from its settings
    |-- ParityError        10   an exported model that disagrees with the trained one
    |-- RunError           11   a training run folder that is damaged or cannot go on
    `-- ExportError        12   a model that a format or a board cannot take

Every message says what is wrong, where (path, key, JSON path) and what to do about it.
"""

from typing import ClassVar, Final

EXIT_INTERRUPTED: Final = 130  # Ctrl-C during adapt or export, as shells count it


class EdgekwsError(Exception):
    """Any failure that edgekws foresees; its text is one line for a person."""

    exit_code: ClassVar[int] = 1


class UsageError(EdgekwsError):
    """Flags or names given on the command line that cannot be followed."""

    exit_code = 2


class ConfigError(EdgekwsError):
    """A recipe or a listen.toml with a missing, unknown or senseless value."""

    exit_code = 3


class DataError(EdgekwsError):
    """Audio files, label folders or truth tables that cannot be used."""

    exit_code = 4


class BundleError(EdgekwsError):
    """A bundle that is damaged, incomplete, or of a schema this version does not know."""

    exit_code = 5


class SkewError(EdgekwsError):
    """Features or scores computed here differ from the bundle's golden vectors."""

    exit_code = 6


class MissingExtraError(EdgekwsError):
    """An optional package is not installed; the message holds the pip line that installs it."""

    exit_code = 7


class SourceError(EdgekwsError):
    """An audio source that cannot be opened, or that ended by a fault."""

    exit_code = 8


class SinkError(EdgekwsError):
    """A sink that cannot be built from its settings."""

    exit_code = 9


class ParityError(EdgekwsError):
    """An exported model disagrees with the trained one; the message holds the figures."""

    exit_code = 10


class RunError(EdgekwsError):
    """A training run folder that is damaged, or that cannot be continued."""

    exit_code = 11


class ExportError(EdgekwsError):
    """A model that a format cannot express, or that is over the budget of a board."""

    exit_code = 12
