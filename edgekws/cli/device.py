"""The commands that run on a device: their flags; each one's work is in a module of its own."""

import argparse
from pathlib import Path

from edgekws.cli import benching, classify, doctor, evaluate, listen, tuning, wyoming
from edgekws.cli.counts import at_least_one


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add listen, wyoming, classify, eval, tune, bench, doctor and devices to the command line."""
    _add_listen(subparsers)
    _add_wyoming(subparsers)
    _add_classify(subparsers)
    _add_eval(subparsers)
    _add_tune(subparsers)
    _add_bench(subparsers)
    _add_doctor(subparsers)
    _add_devices(subparsers)


def _add_listen(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("listen", help="hear commands and act on them, until stopped")
    _add_bundle(parser)
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="mic: (the default), mic:NAME, wav:PATH, - for raw s16le on stdin,"
        " exec:PROGRAM ARG ... for that of a program, tcp://HOST:PORT for that of a satellite",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for a microphone, program or address that is not there yet, as a service does",
    )
    parser.add_argument(
        "--sink",
        action="append",
        default=[],
        metavar="SINK",
        help="where every command goes: stdout: (the default), process:PROGRAM ARG ...,"
        " mqtt:HOST:PORT, webhook:URL, gpio:PIN or serial:DEVICE; may be given again;"
        " in place of the commands in --config",
    )
    parser.add_argument("--config", type=Path, metavar="TOML", help="a listen.toml")
    parser.add_argument(
        "--engine",
        metavar="FORMAT-PRECISION",
        help="the model file to run (default: the bundle's first whose engine is installed)",
    )
    parser.add_argument(
        "--accelerator",
        action="append",
        default=[],
        metavar="NAME",
        help="cuda or tensorrt, tried before the CPU; may be given again, best first",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="open no sink: only say what would have been done"
    )
    parser.set_defaults(run=listen.run)


def _add_wyoming(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "wyoming", help="be a wake word service for Home Assistant, until stopped"
    )
    _add_bundle(parser)
    parser.add_argument(
        "--uri",
        default=wyoming.DEFAULT_URI,
        metavar="tcp://HOST:PORT",
        help=f"where clients connect ({wyoming.DEFAULT_URI}); port 0 is any that is free",
    )
    parser.add_argument(
        "--max-clients", type=wyoming.count, default=8, metavar="N", help="at once (8)"
    )
    parser.add_argument(
        "--config", type=Path, metavar="TOML", help="a listen.toml: its bundle, model and triggers"
    )
    parser.add_argument(
        "--engine", metavar="FORMAT-PRECISION", help="the model file to run, as for listen"
    )
    parser.set_defaults(run=wyoming.run)


def _add_classify(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("classify", help="say for each file what is in it")
    _add_bundle(parser)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an audio file")
    parser.set_defaults(run=classify.run)


def _add_eval(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("eval", help="figures of a bundle over recordings")
    _add_bundle(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, metavar="DIR", help="clips, one folder per label")
    what.add_argument("--stream", type=Path, metavar="AUDIO", help="one long recording")
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="CSV",
        help="the commands in --stream: start_seconds,end_seconds,label",
    )
    parser.add_argument(
        "--languages",
        type=Path,
        metavar="RECIPE",
        help="with --data: figures by language too, by the [data.languages] of a recipe",
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="with --data and --noise: accuracy in noise, rooms, on lines, through codecs",
    )
    parser.add_argument(
        "--noise",
        type=Path,
        action="append",
        default=[],
        metavar="PLACE",
        help="for --robustness: a recording or folder of noises that training did not hear",
    )
    parser.add_argument(
        "--seed", type=evaluate.seed, default=1, help="of what --robustness draws (1)"
    )
    parser.add_argument(
        "--draws",
        type=at_least_one,
        default=1,
        metavar="N",
        help="for --robustness: noise and rooms drawn N times, and the means of the figures (1)",
    )
    parser.set_defaults(run=evaluate.run)


def _add_tune(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("tune", help="choose a bundle's thresholds on your recordings")
    _add_bundle(parser)
    parser.add_argument(
        "--stream", type=Path, nargs="+", required=True, metavar="AUDIO", help="long recordings"
    )
    parser.add_argument(
        "--truth",
        type=Path,
        nargs="+",
        required=True,
        metavar="CSV",
        help="the commands in each --stream, in its order: start_seconds,end_seconds,label",
    )
    parser.add_argument(
        "--negatives",
        type=Path,
        action="append",
        default=[],
        metavar="PLACE",
        help="a recording without any command, or a folder of some; may be given again",
    )
    parser.add_argument(
        "--budget",
        type=tuning.above_zero,
        default=1.0,
        metavar="PER_HOUR",
        help="false accepts per hour, of all commands together (1.0)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", type=Path, metavar="DIR", help="write the tuned bundle there")
    where.add_argument("--write", action="store_true", help="write it in the place of --bundle")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the curves as one page")
    parser.set_defaults(run=tuning.run)


def _add_bench(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("bench", help="what a bundle costs on this machine")
    parser.add_argument(
        "--bundle",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a bundle's folder, as for listen; with --compare it may be given again",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--engine", metavar="FORMAT-PRECISION", help="the model file to measure, or auto"
    )
    what.add_argument(
        "--compare",
        action="store_true",
        help="measure every model file whose engine is installed, by turns",
    )
    parser.add_argument(
        "--run",
        dest="run_folder",
        type=Path,
        metavar="RUN",
        help="with --compare: measure a trained run, exported aside at each step, not bundles",
    )
    parser.add_argument(
        "--step-ms",
        action="append",
        type=int,
        default=[],
        metavar="N",
        help="with --run: audio to a call; may be given again (40, 80 and 160)",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FORMAT-PRECISION",
        help="with --run: a model to measure; may be given again (int8 and fp32, fused and not)",
    )
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=benching.run)


def _add_doctor(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("doctor", help="check what listening needs on this machine")
    _add_bundle(parser)
    parser.set_defaults(run=doctor.run)


def _add_devices(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("devices", help="list the microphones, one JSON line each")
    parser.set_defaults(run=doctor.run_devices)


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="a bundle's folder (default: the newest in dist/, else models/bundles/, else shipped)",
    )
