"""`edgekws fetch` and `edgekws synth`: speech to learn from, published or synthesized."""

import argparse
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgekws.errors import EXIT_INTERRUPTED, DataError, UsageError

if TYPE_CHECKING:
    from edgekws.train.datasets import Table

_LANGUAGE: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_LONGEST_WAIT_SECONDS: Final = 3600.0
_NEXT: Final = "next: edgekws adapt --recipe models/recipes/adapt.toml --data {} --out runs/mine"


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `fetch` and `synth`."""
    _add_fetch(subparsers)
    _add_synth(subparsers)


def _add_fetch(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "fetch", help="bring a public speech set; without a name, list those there are"
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="a set of the list")
    parser.add_argument("--out", type=Path, help="the folder to make, with one folder per label")
    parser.add_argument("--table", type=Path, help="another table than models/datasets.toml")
    parser.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="longest wait for the server (30)",
    )
    parser.set_defaults(run=_fetch)


def _add_synth(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "synth", help="synthesize words in many voices, to adapt with or for other words"
    )
    parser.add_argument("words", metavar="WORD", nargs="*", help="a word or a short phrase")
    parser.add_argument(
        "--text", dest="texts", action="append", default=[], help="the same as a WORD; once or more"
    )
    parser.add_argument("--words", dest="file", type=Path, help="a file of them, one per line")
    parser.add_argument(
        "--language", "--lang", required=True, help="as eSpeak NG names it: en, de, cmn, ..."
    )
    parser.add_argument("--out", type=Path, required=True, help="gets one folder per word")
    parser.add_argument(
        "--takes", "--count", type=int, default=20, help="recordings of each word (20)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, other takes (1)")
    parser.add_argument("--into", metavar="LABEL", help="put all into this one label's folder")
    parser.add_argument("--engine", default="espeak", help="espeak (usual), flite or piper")
    parser.add_argument(
        "--voice",
        dest="voices",
        metavar="VOICE",
        action="append",
        default=[],
        help="keep to this voice, such as f3 or slt; for piper an .onnx file; once or more",
    )
    parser.set_defaults(run=_synth)


def _fetch(args: argparse.Namespace) -> int:
    from edgekws.train.datasets import TABLE, find_dataset, read_table
    from edgekws.train.download import Network
    from edgekws.train.fetch import fetch
    from edgekws.train.progress import Reporter
    from edgekws.train.teacher_file import NAME as TEACHER

    if args.name == TEACHER:
        return _fetch_teacher(args.out or Path("models"))
    table = read_table(args.table or TABLE)
    if args.name is None:
        return _list(table, args.out)
    dataset = find_dataset(table, args.name)
    if args.out is None:
        raise UsageError(f"where to? e.g. edgekws fetch {args.name} --out data/{args.name}")
    if not 0 < args.timeout <= _LONGEST_WAIT_SECONDS:
        raise UsageError(
            f"--timeout {args.timeout:g}: must be above 0 and at most {_LONGEST_WAIT_SECONDS:g}"
        )
    reporter = Reporter()
    reporter.say(f"{dataset.title}; {dataset.licence}; {dataset.url}")
    try:
        network = Network(timeout_seconds=args.timeout)
        new = fetch(dataset, args.out, network=network, watcher=reporter)
    except KeyboardInterrupt:
        reporter.say("interrupted; the same command goes on from where it was")
        return EXIT_INTERRUPTED
    reporter.say(f"{args.out}: {'the set is complete' if new else 'holds this set already'}")
    print(args.out)
    reporter.say(_NEXT.format(args.out))
    return 0


def _fetch_teacher(out: Path) -> int:
    from edgekws.train.progress import Reporter
    from edgekws.train.teacher_file import FILE, LICENCE, TITLE, fetch_teacher

    reporter = Reporter()
    reporter.say(f"{TITLE}; {LICENCE}")
    new = fetch_teacher(out)
    reporter.say(f"{out / FILE}: {'is complete' if new else 'is there already'}")
    print(out / FILE)
    return 0


def _list(table: "Table", out: Path | None) -> int:
    from edgekws.train import teacher_file

    if out is not None:
        raise UsageError("--out needs the name of a set; edgekws fetch alone lists them")
    for dataset in table.datasets:
        size = f"{dataset.bytes / 1e9:.1f} GB"
        print(f"{dataset.name:<22} {size:>7}  {dataset.licence:<10} {dataset.title}")
    size = f"{teacher_file.BYTES / 1e6:.1f} MB"
    licence = teacher_file.LICENCE
    print(f"{teacher_file.NAME:<22} {size:>7}  {licence:<10} {teacher_file.TITLE}")
    return 0


def _synth(args: argparse.Namespace) -> int:
    from edgekws.train.progress import Reporter
    from edgekws.train.synth import open_synthesizer
    from edgekws.train.takes import write_words

    args.words += args.texts
    words = _words(args)
    _check_numbers(args)
    reporter = Reporter()
    try:
        count = write_words(
            args.out,
            words,
            args.language,
            takes=args.takes,
            seed=args.seed,
            into=args.into,
            synthesizer=open_synthesizer(args.engine, voices=args.voices),
            watcher=reporter,
        )
    except KeyboardInterrupt:
        reporter.say("interrupted; no take was kept")
        return EXIT_INTERRUPTED
    reporter.say(f"{args.out}: {count} takes of {len(words)} word(s); {_NEXT.format(args.out)}")
    return 0


def _check_numbers(args: argparse.Namespace) -> None:
    if args.takes < 1:
        raise UsageError(f"--takes {args.takes}: must be 1 or more")
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed}: must be 0 or more")
    if not _LANGUAGE.fullmatch(args.language):
        raise UsageError(f"--language {args.language!r}: give a code such as en, cmn or en-us")


def _words(args: argparse.Namespace) -> list[str]:
    """Return each word once, checked as words and, without --into, as folder names."""
    from edgekws.train.takes import label_fault, word_fault

    if bool(args.words) == (args.file is not None):
        raise UsageError("give either words or a file of them with --words")
    if args.into is not None and (fault := label_fault(args.into)):
        raise UsageError(f"--into {args.into!r}: {fault}")
    find_fault = label_fault if args.into is None else word_fault
    words: dict[str, None] = {}
    for where, text in _texts(args):
        word = unicodedata.normalize("NFC", text.strip())
        if fault := find_fault(word):
            error = UsageError if args.file is None else DataError
            raise error(f"{where} {word!r}: {fault}")
        words[word] = None
    return list(words)


def _texts(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Return (where it stands, text) of each word; DataError for a file that holds none."""
    if args.file is None:
        return [("word", word) for word in args.words]
    try:
        lines = args.file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{args.file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{args.file}: not UTF-8 text; save it as UTF-8") from error
    texts = [(f"{args.file}:{n}:", line) for n, line in enumerate(lines, 1) if line.strip()]
    if not texts:
        raise DataError(f"{args.file}: holds no words; write one per line")
    return texts
