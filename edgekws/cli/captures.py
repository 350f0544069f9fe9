"""`edgekws captures`: the sound of near misses that listen.toml had kept."""

import argparse
import io
import re
import shlex
import subprocess
import wave
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgekws.cli.beside import place_of
from edgekws.cli.setup import begin, print_line
from edgekws.errors import ConfigError, DataError, UsageError

if TYPE_CHECKING:
    from edgekws.events import Pcm
    from edgekws.runtime.capture_store import CaptureStore

PLAYER: Final = "aplay -q -"
_FOLDER: Final = re.compile(r"[^/\0]+")


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add captures to the command line."""
    parser = subparsers.add_parser(
        "captures", help="list, play, label, delete or export the sound of near misses"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("list", help="print a line of JSON for each recording")
    verb.set_defaults(does=_list)
    verb = verbs.add_parser("play", help="let a program play one")
    verb.add_argument(
        "--player",
        default=PLAYER,
        metavar="PROGRAM ARG ...",
        help=f"what reads a WAV on its stdin ({PLAYER})",
    )
    verb.set_defaults(does=_play)
    _add_id(verb)
    verb = verbs.add_parser("label", help="say what one really is: a command, or _unknown_")
    _add_id(verb)
    verb.add_argument("label", metavar="LABEL")
    verb.set_defaults(does=_label)
    verb = verbs.add_parser("delete", help="remove one, or all of them")
    verb.add_argument("id", metavar="ID", nargs="?")
    verb.add_argument("--all", action="store_true", help="every recording, and those of other keys")
    verb.set_defaults(does=_delete)
    verb = verbs.add_parser("export", help="write what is labelled as WAV, one folder per label")
    verb.add_argument("out", type=Path, metavar="DIR")
    verb.set_defaults(does=_export)
    for each in verbs.choices.values():
        each.add_argument("--config", type=Path, required=True, metavar="TOML", help="listen.toml")
    parser.set_defaults(run=run)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="as `captures list` has it")


def run(args: argparse.Namespace) -> int:
    """Open the folder that listen.toml names, and do one thing with it."""
    begin(verbose=args.verbose)
    from edgekws.runtime.capture_store import CaptureStore, read_key
    from edgekws.runtime.config import read_config

    config = read_config(args.config)
    if config.captures is None:
        raise ConfigError(f"{config.where}: there is no [captures]: nothing is kept")
    key = read_key(place_of(config, config.captures.key_file))
    args.does(CaptureStore(place_of(config, config.captures.folder), key), args)
    return 0


def _list(store: "CaptureStore", args: argparse.Namespace) -> None:
    del args
    for capture in store.captures():
        print_line(capture)


def _play(store: "CaptureStore", args: argparse.Namespace) -> None:
    capture, pcm = store.get(args.id)
    player = shlex.split(args.player)
    try:
        done = subprocess.run(player, input=wav_bytes(pcm, capture.sample_rate), check=False)
    except (OSError, IndexError) as error:
        raise UsageError(f'--player "{args.player}" cannot be started: {error}') from error
    if done.returncode:
        raise UsageError(f'--player "{args.player}" ended with {done.returncode}')


def _label(store: "CaptureStore", args: argparse.Namespace) -> None:
    import msgspec

    if not _FOLDER.fullmatch(args.label) or args.label in (".", ".."):
        raise UsageError(f"{args.label!r} is no label: it becomes the name of a folder")
    capture, pcm = store.get(args.id)
    store.put(msgspec.structs.replace(capture, said=args.label), pcm)


def _delete(store: "CaptureStore", args: argparse.Namespace) -> None:
    if (args.id is None) == (not args.all):
        raise UsageError("captures delete needs an ID, or --all")
    if args.all:
        store.make_room(0, max_bytes=0, max_days=-1.0, now=datetime.now(UTC))
    else:
        store.delete(args.id)


def _export(store: "CaptureStore", args: argparse.Namespace) -> None:
    """Write what is labelled; what is there already is left as it is."""
    for capture in store.captures():
        if not capture.said:
            continue
        _, pcm = store.get(capture.id)
        path = args.out / capture.said / f"{capture.id}.wav"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wav_bytes(pcm, capture.sample_rate))
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}") from error
        print(path)


def wav_bytes(pcm: "Pcm", sample_rate: int) -> bytes:
    """Return a WAV file of 16-bit mono samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()
