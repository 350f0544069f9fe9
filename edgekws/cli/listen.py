"""`edgekws listen`: hears commands and acts on them until the source ends or a signal comes."""

import argparse
import gc
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, cast

from edgekws.cli.setup import begin
from edgekws.errors import BundleError, ConfigError, SinkError

if TYPE_CHECKING:
    from edgekws.audio.ears import Ears
    from edgekws.audio.source import AudioSource
    from edgekws.dispatch.commands import Command, CommandTable
    from edgekws.runtime.config import ListenConfig
    from edgekws.runtime.decide import Decider
    from edgekws.runtime.notify import Notifier
    from edgekws.runtime.parts import Parts
    from edgekws.runtime.voice import Voice
    from edgekws.specs import ModelSpec

DEFAULT_SOURCE: Final = "mic:"
_SYSTEMD: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def run(args: argparse.Namespace) -> int:
    """Put the daemon together and run it; JSON lines on stdout, messages on stderr."""
    gc.disable()  # next to nothing that loading makes is garbage: to look for it costs a tenth
    begin(verbose=args.verbose, quiet=False)
    notifier = _notifier()
    from edgekws.audio.source import Condition
    from edgekws.cli.beside import company
    from edgekws.dispatch.journal import Journal
    from edgekws.runtime.daemon import Daemon

    assembly = Assembly(args)
    parts = assembly.build()
    source, ears = _open_source(assembly.source, parts.detector.model, wait=args.wait)
    beside = company(assembly.config, parts.detector)
    daemon = Daemon(
        source,
        parts,
        Journal(sys.stdout),
        rebuild=assembly.build,
        condition=beside.condition(Condition if ears is None else ears.condition),
        notifier=notifier,
        onlookers=beside.onlookers(),
    )
    if ears is not None:
        ears.on_change = daemon.look_soon
    with ExitStack() as closing:
        companions = beside.open(daemon, closing)
        gc.freeze()  # it stays to the end, and no later search goes over it again
        gc.enable()
        daemon.run(companions)
    return 0


class Assembly:
    """Builds the parts of the daemon from flags, listen.toml and bundle, now and at a reload."""

    def __init__(self, args: argparse.Namespace) -> None:
        from edgekws.runtime.config import ListenConfig

        self._args = args
        self.config = ListenConfig()
        """What the last build read."""
        self.source = DEFAULT_SOURCE
        """What the last build listens to."""

    def build(self, old: "Parts | None" = None) -> "Parts":
        """Read everything anew; sinks whose settings `old` has too stay as they are.

        Raises:
            EdgekwsError: whatever is wrong with flags, file, bundle or sinks.
        """
        from edgekws.dispatch.dry import dry
        from edgekws.engines.accelerators import find_accelerators
        from edgekws.runtime.config import ListenConfig, read_config
        from edgekws.runtime.fitting import check_labels, check_model, merge_triggers
        from edgekws.runtime.parts import Parts
        from edgekws.runtime.wiring import find_bundle, open_device

        args = self._args
        config = read_config(args.config) if args.config else ListenConfig()
        source = args.source or config.source or DEFAULT_SOURCE
        if old is not None and source != self.source:
            raise ConfigError(
                f"{config.where}: source: it is {source!r} now and was {self.source!r}; another"
                " source needs a restart"
            )
        if old is not None:
            _check_beside(config, self.config)
        bundle = find_bundle(args.bundle or config.bundle)
        model = bundle.manifest.model
        _check_rate(model, old)
        check_labels(config, model.commands)
        check_model(config, [model_file.key for model_file in bundle.manifest.models])
        triggers = merge_triggers(bundle.manifest.triggers, config)
        commands = _commands(args.sink, config, model)
        commands = dry(commands) if args.dry_run else commands
        device = open_device(
            bundle,
            key=args.engine or config.model,
            accelerators=find_accelerators(args.accelerator or config.accelerators),
            triggers=triggers,
        )
        table = _open_table(commands, old, where="" if args.sink else config.where)
        self.config, self.source = config, source
        name = f"{bundle.manifest.name} {bundle.manifest.version}"
        return Parts(name, device.detector, table, _decider(config, model), _voice(config, model))


def _open_table(
    commands: "tuple[Command, ...]", old: "Parts | None", *, where: str
) -> "CommandTable":
    """Open the sinks; what is wrong with them is told with the file that they stand in, if any."""
    from edgekws.dispatch.commands import open_table

    try:
        return open_table(commands, None if old is None else old.table)
    except SinkError as error:
        raise SinkError(f"{where}: {error}" if where else str(error)) from error


def _decider(config: "ListenConfig", model: "ModelSpec") -> "Decider":
    """Return what decides by the rules of listen.toml; its quiet hours are in local time."""
    from datetime import datetime

    from edgekws.runtime.decide import Decider

    return Decider(
        config.rules,
        sample_rate=model.features.sample_rate,
        clock=lambda: datetime.now().time(),
    )


def _voice(config: "ListenConfig", model: "ModelSpec") -> "Voice | None":
    from edgekws.runtime.voice import Voice

    if config.voice is None:
        return None
    return Voice(config.voice, sample_rate=model.features.sample_rate)


def _notifier() -> "Notifier":
    """Return what tells systemd, and hide it from the programs that are started."""
    from edgekws.runtime.notify import Notifier

    address, usec, pid = (os.environ.pop(name, "") for name in _SYSTEMD)
    ours = usec.isdecimal() and pid in ("", str(os.getpid()))
    return Notifier(address, watchdog_seconds=int(usec) / 1e6 if ours else None)


def _check_beside(new: "ListenConfig", old: "ListenConfig") -> None:
    for name in ("control", "metrics", "journal", "near_misses", "captures"):
        if getattr(new, name) != getattr(old, name):
            raise ConfigError(f"{new.where}: [{name}]: it is another now; that needs a restart")


def _check_rate(model: "ModelSpec", old: "Parts | None") -> None:
    rate = model.features.sample_rate
    before = rate if old is None else old.detector.model.features.sample_rate
    if rate != before:
        raise BundleError(
            f"the new bundle hears {rate} Hz and the source gives {before} Hz; restart"
        )


def _open_source(
    text: str, model: "ModelSpec", *, wait: bool
) -> tuple["AudioSource", "Ears | None"]:
    """Build the source, and the ears that one has which is live.

    They bring it back when it dies, and know of its condition; its blocks end with the model's
    steps.
    """
    from edgekws.audio.ears import Ears
    from edgekws.audio.live import Aligned
    from edgekws.audio.source import LIVE, LiveSource, open_source

    features, samples = model.features, model.step_frames * model.features.hop
    source = open_source(text, sample_rate=features.sample_rate, block_samples=samples)
    if text.partition(":")[0] not in LIVE:
        return source, None
    ears = Ears(cast(LiveSource, source), wait=wait)
    lead = features.window - features.hop
    if lead > samples:
        return ears, ears
    return Aligned(ears, block_samples=samples, lead_samples=lead), ears


def _commands(
    sinks: list[str], config: "ListenConfig", model: "ModelSpec"
) -> "tuple[Command, ...]":
    """Return what to do about each label: `--sink` wins over the config's commands."""
    from edgekws.dispatch.commands import complete_commands, number_labels, same_commands
    from edgekws.dispatch.sink import parse_sink

    if sinks:
        commands = same_commands(model.commands, [parse_sink(text) for text in sinks])
    else:
        commands = complete_commands(model.commands, config.commands)
    return number_labels(commands, model.labels)
