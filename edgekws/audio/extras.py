"""Optional packages, imported at the moment they are needed and named when they are missing."""

from importlib import import_module
from types import ModuleType

from edgekws.errors import MissingExtraError


def load_extra(module: str, *, extra: str, purpose: str, before: str = "") -> ModuleType:
    """Import an optional module; `purpose` begins the message, as in "reading a.mp3".

    `before` is what a person has to do ahead of the pip line, such as an apt line.

    Raises:
        MissingExtraError: the module is not installed, or a library it needs is not.
    """
    try:
        return import_module(module)
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            f"{purpose} needs {module} ({error}): {before}pip install 'edgekws[{extra}]'"
        ) from error
