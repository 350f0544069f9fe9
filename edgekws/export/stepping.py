"""The same model in other steps: the weights stay, a call takes more of the audio or less."""

import msgspec

from edgekws.errors import UsageError
from edgekws.specs import ModelSpec


def at_step(model: ModelSpec, milliseconds: int) -> ModelSpec:
    """Return the model with so much audio to a call.

    Raises UsageError where that is no multiple of what lies between two rows of its scores.
    """
    features, each = model.features, model.frames_per_score
    frames, rest = divmod(milliseconds * features.sample_rate, 1000 * features.hop)
    if rest or frames < each or frames % each:
        between = 1000 * model.samples_per_score / features.sample_rate
        raise UsageError(
            f"no step of {milliseconds} ms: this net gives scores every {between:g} ms, take a "
            "multiple of that; a shorter step needs a net of smaller strides"
        )
    return msgspec.structs.replace(model, step_frames=frames, scores_per_step=frames // each)
