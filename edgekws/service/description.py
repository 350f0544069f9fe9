"""What a bundle is as a wake word service: every command is a model that can be asked for."""

from wyoming.info import Attribution, Info, WakeModel, WakeProgram

from edgekws import __version__
from edgekws.bundle.manifest import Manifest

_WHO = Attribution(name="edgekws", url="")


def describe(manifest: Manifest) -> Info:
    """Return the answer to a describe event."""
    models = [
        WakeModel(
            name=label,
            phrase=label,
            description=label,
            attribution=_WHO,
            installed=True,
            version=manifest.version,
            languages=[],
        )
        for label in manifest.model.commands
    ]
    program = WakeProgram(
        name="edgekws",
        description=f"edgekws with the bundle {manifest.name} {manifest.version}",
        attribution=_WHO,
        installed=True,
        version=__version__,
        models=models,
    )
    return Info(wake=[program])
