"""`edgekws listen`: hears commands and acts on them until the source ends or a signal comes."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

from edgekws.cli.setup import begin

if TYPE_CHECKING:
    from edgekws.audio.source import AudioSource
    from edgekws.dispatch.commands import Command
    from edgekws.runtime.config import ListenConfig
    from edgekws.specs import ModelSpec

MICROPHONE: Final = "mic"
DEFAULT_SOURCE: Final = f"{MICROPHONE}:"


def run(args: argparse.Namespace) -> int:
    """Put the daemon together and run it; JSON lines on stdout, messages on stderr."""
    begin(verbose=args.verbose, quiet=False)
    from edgekws.dispatch.commands import open_table
    from edgekws.dispatch.journal import Journal
    from edgekws.engines.accelerators import find_accelerators
    from edgekws.runtime.config import (
        ListenConfig,
        check_labels,
        check_model,
        merge_triggers,
        read_config,
    )
    from edgekws.runtime.daemon import Daemon
    from edgekws.runtime.wiring import find_bundle, open_device

    config = read_config(args.config) if args.config else ListenConfig()
    bundle = find_bundle(args.bundle or config.bundle)
    model = bundle.manifest.model
    check_labels(config, model.commands)
    check_model(config, [model_file.key for model_file in bundle.manifest.models])
    triggers = merge_triggers(bundle.manifest.triggers, config)
    source = _open_source(args.source or config.source or DEFAULT_SOURCE, model)
    table = open_table(_commands(args.sink, config, model.commands))
    device = open_device(
        bundle,
        key=args.engine or config.model,
        accelerators=find_accelerators(args.accelerator or config.accelerators),
        triggers=triggers,
    )
    Daemon(source, device.detector, table, Journal(sys.stdout)).run()
    return 0


def _open_source(text: str, model: "ModelSpec") -> "AudioSource":
    """Build the source; a microphone's blocks end with the model's steps."""
    from edgekws.audio import open_source
    from edgekws.audio.live import Aligned

    features, samples = model.features, model.step_frames * model.features.hop
    source = open_source(text, sample_rate=features.sample_rate, block_samples=samples)
    lead = features.window - features.hop
    if text.partition(":")[0] != MICROPHONE or lead > samples:
        return source
    return Aligned(source, block_samples=samples, lead_samples=lead)


def _commands(
    sinks: list[str], config: "ListenConfig", labels: tuple[str, ...]
) -> "tuple[Command, ...]":
    """Return what to do about each label: `--sink` wins over the config's commands."""
    from edgekws.dispatch.commands import complete_commands, same_commands
    from edgekws.dispatch.sink import parse_sink

    if sinks:
        return same_commands(labels, [parse_sink(text) for text in sinks])
    return complete_commands(labels, config.commands)
