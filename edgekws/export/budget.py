"""What a bundle costs against what its target allows: bytes always, the rest where measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from edgekws.bundle import Bundle
from edgekws.errors import ExportError
from edgekws.export.targets import Budget, Target
from edgekws.runtime.bench import hear
from edgekws.runtime.fresh import probe_fresh
from edgekws.runtime.wiring import open_device

HEARD_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What was found; memory and share of a core are None where the first model cannot run here."""

    model_bytes: int
    rss_mb: float | None = None
    core_share: float | None = None


def measure(bundle: Bundle, target: Target, say: Callable[[str], None]) -> Cost:
    """Count the bytes of the models, and run the first one as a board with Python would."""
    size = sum(entry.size for model in bundle.manifest.models for entry in model.files())
    if not target.pythons:
        return Cost(size)
    device, best = open_device(bundle), bundle.manifest.models[0]
    if device.model_file.key != best.key:
        say(f"memory and share of a core are not measured: no engine for {best.key} is here")
        return Cost(size)
    share = hear(device, seconds=HEARD_SECONDS) / HEARD_SECONDS
    return Cost(size, probe_fresh(bundle.path, best.key).peak_rss_mb, share)


def require_budget(cost: Cost, target: Target) -> None:
    """Raise ExportError, with the figures, where a bundle costs more than its target allows."""
    over = list(_over(cost, target.budget))
    if over:
        raise ExportError(
            f"over the budget of {target.name}: {'; '.join(over)}; train a smaller net, or export "
            "for a larger board"
        )


def describe(cost: Cost, target: Target) -> str:
    """Return one line of the costs and the budget."""
    parts = [f"models {cost.model_bytes} of {target.budget.model_bytes} bytes"]
    if cost.rss_mb is not None and cost.core_share is not None:
        parts.append(f"{cost.rss_mb:.0f} of {target.budget.rss_mb:.0f} MB")
        parts.append(f"{cost.core_share:.2%} of {target.budget.core_share:.2%} of a core here")
    return f"budget of {target.name}: {', '.join(parts)}"


def _over(cost: Cost, budget: Budget) -> Iterator[str]:
    if cost.model_bytes > budget.model_bytes:
        yield f"models of {cost.model_bytes} bytes, allowed are {budget.model_bytes}"
    if cost.rss_mb is not None and cost.rss_mb > budget.rss_mb:
        yield f"{cost.rss_mb:.0f} MB of memory, allowed are {budget.rss_mb:.0f}"
    if cost.core_share is not None and cost.core_share > budget.core_share:
        yield f"{cost.core_share:.2%} of a core, allowed are {budget.core_share:.2%}"
