"""The same model in other steps: the weights stay, a call takes more of the audio or less."""

from msgspec.structs import replace

from edgekws.errors import UsageError
from edgekws.specs import FeatureSpec, ModelSpec
from edgekws.train.nets import TcnConfig
from edgekws.train.run import Run


def finer_run(run: Run, milliseconds: int) -> Run:
    """Return the run with a net of the same weights whose rows of scores a step may hold.

    Where the net's strides let no row end with such a step, they become dilation: rows come more
    often, and each is what the net gives for that moment. Other nets than a tcn stay as they are.
    """
    frames, rest = _frames(run.features, milliseconds)
    if rest or frames < 1 or not isinstance(run.net, TcnConfig):
        return run
    return replace(run, net=run.net.finer(frames))


def at_step(model: ModelSpec, milliseconds: int) -> ModelSpec:
    """Return the model with so much audio to a call.

    Raises UsageError where that is no multiple of what lies between two rows of its scores.
    """
    features, each = model.features, model.frames_per_score
    frames, rest = _frames(features, milliseconds)
    if rest or frames < each or frames % each:
        between = 1000 * model.samples_per_score / features.sample_rate
        raise UsageError(
            f"no step of {milliseconds} ms: this net gives scores every {between:g} ms, take a "
            "multiple of that"
        )
    return replace(model, step_frames=frames, scores_per_step=frames // each)


def _frames(features: FeatureSpec, milliseconds: int) -> tuple[int, int]:
    """Return how many whole hops a step has, and what is left of it, 0 where nothing is."""
    return divmod(milliseconds * features.sample_rate, 1000 * features.hop)
