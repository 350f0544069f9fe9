"""`edgekws wyoming`: hears wake words in the audio that Home Assistant and others send."""

import argparse

from edgekws.cli.setup import begin, print_line
from edgekws.errors import UsageError

DEFAULT_URI = "tcp://127.0.0.1:10400"


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes; one JSON line says where, messages go to stderr."""
    begin(verbose=args.verbose, quiet=False)
    from edgekws.audio.extras import load_extra
    from edgekws.dispatch.tcp import Address

    load_extra("wyoming.wake", extra="wyoming", purpose="the Wyoming service")
    from edgekws.runtime.config import ListenConfig, read_config
    from edgekws.runtime.detector import Detector
    from edgekws.runtime.fitting import check_labels, merge_triggers
    from edgekws.runtime.signals import signals
    from edgekws.runtime.wiring import find_bundle, open_device
    from edgekws.service.description import describe
    from edgekws.service.pool import Pool
    from edgekws.service.server import WakeServer

    try:
        address = Address.parse(args.uri)
    except ValueError as error:
        raise UsageError(f"--uri: {error}") from error
    config = read_config(args.config) if args.config else ListenConfig()
    bundle = find_bundle(args.bundle or config.bundle)
    check_labels(config, bundle.manifest.model.commands)
    triggers = merge_triggers(bundle.manifest.triggers, config)

    def build() -> Detector:
        return open_device(bundle, key=args.engine or config.model, triggers=triggers).detector

    pool = Pool(build, size=args.max_clients)
    server = WakeServer(address, describe(bundle.manifest), pool, max_clients=args.max_clients)
    with signals(server.stop, wake_fd=server.wake_fd):
        print_line({"event": "serving", "uri": server.address.uri})
        server.run()
    return 0


def count(text: str) -> int:
    """Read how many clients may come at once."""
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError(f"need 1 to 64 clients, not {number}")
    return number
