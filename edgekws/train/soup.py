"""The mean of several runs' weights as one run: a model soup, Wortsman et al. 2022.

Runs that went from one base by recipes a little different lie in one basin, and their middle often
hears better than each of them, at the cost of one net.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from msgspec.structs import replace

from edgekws.digest import sha256_hex
from edgekws.errors import ConfigError, RunError, UsageError
from edgekws.train.evaluate import normalizer_of
from edgekws.train.nets import StreamingNet
from edgekws.train.outcome import build_report
from edgekws.train.place import clear_place, require_place
from edgekws.train.recipe import load_recipe
from edgekws.train.run import RECIPE_FILE, Report, Run, load_net, load_run, save_run, write_aside
from edgekws.train.run_audio import CALIBRATION_FILE, HELDOUT_FILE, Heldout, load_heldout
from edgekws.train.stream import STREAM_FILE
from edgekws.train.validation import Validation

ALIKE: Final = ("labels", "features", "mean", "scale", "net", "split")
"""Fields of run.json without which two runs' weights mean different things."""

KEPT: Final = (RECIPE_FILE, HELDOUT_FILE, CALIBRATION_FILE, STREAM_FILE)
"""What the mean takes over from the first run."""


def average_runs(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> Run:
    """Leave the mean of finished runs in `out`, its figures taken anew; one named twice counts so.

    Raises UsageError for fewer than two, ConfigError where they are not alike or were not checked
    with the same clips, and RunError where one is damaged or `out` holds a finished run.
    """
    if len(set(folders)) < 2:
        raise UsageError("average: needs two runs or more; name another run folder")
    runs = [load_run(folder) for folder in folders]
    held = _require_alike(folders, runs)
    net = _mean([load_net(folder, run) for folder, run in zip(folders, runs, strict=True)])
    mean = replace(
        runs[0],
        recipe_sha256=sha256_hex(" ".join(run.recipe_sha256 for run in runs).encode()),
        base=replace(runs[0].base, name=f"{runs[0].base.name}, the mean of {len(runs)} runs"),
        data=tuple(dict.fromkeys(source for run in runs for source in run.data)),
        report=_report(net, runs[0], held, folders[0] / RECIPE_FILE),
        triggers={},
        stream_metrics=(),
    )
    kept = {name: _read(folders[0] / name) for name in KEPT}
    require_place(out, overwrite=overwrite)
    clear_place(out)
    for name, content in kept.items():
        write_aside(out / name, content)
    save_run(out, mean, net)
    return mean


def _require_alike(folders: Sequence[Path], runs: Sequence[Run]) -> Heldout:
    """Return the held-out clips that all have; ConfigError where something differs."""
    first = load_heldout(folders[0], n_labels=len(runs[0].labels))
    for folder, run in zip(folders[1:], runs[1:], strict=True):
        differing = [name for name in ALIKE if getattr(run, name) != getattr(runs[0], name)]
        if differing:
            raise ConfigError(
                f"{folder}: differs from {folders[0]} in {', '.join(differing)}; a mean needs runs "
                "of one base, with the same labels and the same kind of net"
            )
        held = load_heldout(folder, n_labels=len(run.labels))
        if not _same(held, first):
            raise ConfigError(
                f"{folder / HELDOUT_FILE}: other clips than those of {folders[0]}, and one run may "
                "have learned from what the mean would be judged by; train both on the same "
                "recordings with the same seed and [data]"
            )
    return first


def _same(left: Heldout, right: Heldout) -> bool:
    return np.array_equal(left.pcm, right.pcm) and np.array_equal(left.labels, right.labels)


@torch.no_grad()
def _mean(nets: Sequence[StreamingNet]) -> StreamingNet:
    """Return the first net with the mean of all weights and statistics; counts stay its own."""
    states = [net.state_dict() for net in nets]
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([state[name].double() for state in states]).mean(0))
    return nets[0]


def _report(net: StreamingNet, run: Run, held: Heldout, recipe_path: Path) -> Report:
    return build_report(
        net,
        normalizer_of(run),
        Validation(held.pcm, held.labels),
        run.labels,
        split=run.split,
        language_of=load_recipe(recipe_path)[0].data.language_of,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}); a mean needs whole run folders: "
            "make one with `edgekws adapt`"
        ) from error
