"""`edgekws demo`: the whole pipe on synthesized speech, by the commands a person would type."""

import argparse
import json
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edgekws.errors import EdgekwsError, UsageError

if TYPE_CHECKING:
    from edgekws.train.demo import Placed
    from edgekws.train.synth import Synthesizer

RECIPE: Final = Path("models/recipes/demo.toml")
RUN: Final = Path("runs/demo")
LAMP: Final = """\
# What the demo's process sink runs: a lamp that is a line in a file.
import pathlib, sys

label, seconds = sys.argv[1:]
state = {"开灯": "lamp on", "关灯": "lamp off", "espresso": "coffee machine on"}[label]
with (pathlib.Path(__file__).parent / "lamp.log").open("a", encoding="utf-8") as log:
    log.write(f"{seconds} {state}\\n")
print(f"    lamp.py: {state}", flush=True)
"""
NEXT: Final = """
What to type next:
  .venv/bin/edgekws listen --bundle {bundle} --config {out}/listen.toml
      the same through your microphone: say 开灯 (kai deng), 关灯 (guan deng) or espresso
  .venv/bin/edgekws adapt --recipe models/recipes/adapt.toml --data FOLDER --out runs/mine
      your own commands: FOLDER holds a folder of recordings per command
  make export TARGET=rpi
      the bundle of your last run for a Raspberry Pi, in dist/"""
LATE_SECONDS: Final = 1.0  # a detection may come this long after the command's end
SAMPLE_RATE: Final = 16_000


class Heard(NamedTuple):
    """A detection as the demo judges it."""

    id: int
    label: str
    sample: int


def run(args: argparse.Namespace) -> int:
    """Run the demo; EdgekwsError where a command was missed, misheard or not acted on."""
    from edgekws.train.synth import open_synthesizer

    if not RECIPE.is_file():
        raise UsageError(f"{RECIPE}: not here; run the demo in the project's folder")
    started = time.monotonic()
    out: Path = args.out
    target = "rpi" if platform.machine() in ("aarch64", "arm64") else "x86"
    bundle = Path("dist") / f"demo-{target}"
    synthesizer = open_synthesizer()
    _speak(out, synthesizer)
    _edgekws("adapt", "--recipe", RECIPE, "--data", out / "data", "--out", RUN, "--overwrite")
    _edgekws("export", RUN, "--target", target, "--model", "onnx-int8", "--out", "dist")
    placed = _record(out, synthesizer)
    judge(placed, _listen(out, bundle))
    seconds = time.monotonic() - started
    print(
        f"\nall {len(placed)} commands were heard and acted on, nothing else was ({seconds:.0f} s)"
    )
    print(NEXT.format(bundle=bundle, out=out))
    return 0


def _speak(out: Path, synthesizer: "Synthesizer") -> None:
    from edgekws.train.demo import write_data

    shutil.rmtree(out / "data", ignore_errors=True)
    counts = write_data(out / "data", synthesizer, seed=1)
    clips = ", ".join(f"{label} {count}" for label, count in counts.items())
    _say(f"synthesized speech to learn from, in {out}/data: {clips} clips")


def _record(out: Path, synthesizer: "Synthesizer") -> "tuple[Placed, ...]":
    from edgekws.train.demo import write_recording

    placed = write_recording(out / "recording.wav", synthesizer, seed=2)
    _say(f"a recording of other voices, talk and noise, in {out}/recording.wav; it holds:")
    for each in placed:
        print(f"  {each.start / SAMPLE_RATE:6.1f} s  {each.label}")
    return placed


def _listen(out: Path, bundle: Path) -> list[Heard]:
    """Run `edgekws listen` on the recording, show its lines as they come, return what it heard."""
    config = _write_config(out)
    argv = _argv("listen", "--bundle", bundle, "--source", f"wav:{out}/recording.wav")
    argv += ["--config", str(config)]
    _echo(argv)
    heard: list[Heard] = []
    done: set[int] = set()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            _show(event)
            if event["event"] == "detection":
                heard.append(Heard(event["id"], event["label"], event["sample"]))
            elif event["event"] == "dispatch" and event["status"] == "done":
                done.add(event["id"])
    _require("listen", process.returncode)
    idle = [each for each in heard if each.id not in done]
    if idle:
        raise EdgekwsError(f"demo: no program ran for {_names(idle)}; see the lines above")
    return heard


def _write_config(out: Path) -> Path:
    """Write a listen.toml that runs lamp.py for every command; return its path."""
    lamp = (out / "lamp.py").resolve()
    lamp.write_text(LAMP, encoding="utf-8")
    (out / "lamp.log").unlink(missing_ok=True)
    from edgekws.train.demo import SPOKEN

    argv = json.dumps([sys.executable, str(lamp), "{label}", "{time_seconds}"])
    tables = [
        f'[[commands]]\nlabel = "{label}"\nsink = "process"\nargv = {argv}\n' for label in SPOKEN
    ]
    path = out / "listen.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def judge(placed: "Sequence[Placed]", heard: Sequence[Heard]) -> None:
    """Compare what was heard with the truth; EdgekwsError names each difference."""
    rest = list(heard)
    missed = []
    for each in placed:
        late = each.end + int(LATE_SECONDS * SAMPLE_RATE)
        fits = [h for h in rest if h.label == each.label and each.start < h.sample <= late]
        if fits:
            rest.remove(fits[0])
        else:
            missed.append(Heard(0, each.label, each.start))
    if missed or rest:
        raise EdgekwsError(
            f"demo: missed: {_names(missed) or 'nothing'}; heard but not said: "
            f"{_names(rest) or 'nothing'}; the recording and its truth (.csv) are kept"
        )


def _edgekws(*arguments: object) -> None:
    argv = _argv(*arguments)
    _echo(argv)
    _require(str(arguments[0]), subprocess.run(argv, check=False).returncode)


def _argv(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edgekws", *map(str, arguments)]


def _require(command: str, code: int) -> None:
    if code:
        raise EdgekwsError(f"demo: edgekws {command} ended with exit code {code}; see its message")


def _echo(argv: Sequence[str]) -> None:
    _say(f"$ edgekws {shlex.join(argv[3:])}")


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


def _show(event: dict[str, Any]) -> None:
    if event["event"] == "detection":
        print(f"  {event['time_seconds']:6.1f} s  heard {event['label']}  ({event['score']:.2f})")
    elif event["event"] == "dispatch":
        what = f"{event['sink']} {event['status']}, exit code {event['exit_code']}"
        print(f"            {event['label']}: {what}")
    sys.stdout.flush()


def _names(heard: Sequence[Heard]) -> str:
    return ", ".join(f"{each.label} at {each.sample / SAMPLE_RATE:.1f} s" for each in heard)
