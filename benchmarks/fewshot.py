"""How well a base learns new words from few recordings, beside what else could be done with them.

For every K and seed, K recordings of each word are drawn; the rest, or the folder of --test, is
what the figures come from. Four ways are compared: `adapt` on the base, `adapt` from random
weights, a logistic regression on the frozen base, and one on the frozen teacher.
"""

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Final

import numpy as np
import torch
from fewshot_figures import FALSE_ACCEPTS, Figures, Scorer, judge
from fewshot_task import RATE, Folders, Task, load_task
from measure import print_table, run_script
from msgspec.structs import replace
from probes import Features, Probe, net_features, remembered, teacher_features

from edgekws.events import Floats
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train import augment
from edgekws.train.dataset import Clip, Corpus
from edgekws.train.evaluate import Normalizer
from edgekws.train.frontend import TorchFrontend
from edgekws.train.loop import Trainer
from edgekws.train.nets import StreamingNet, build_net
from edgekws.train.pretrained import Base, find_published, load_base, new_head
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe, load_recipe
from edgekws.train.recipe_training import PhaseRecipe
from edgekws.train.speech_embedding import load_speech_embedding
from edgekws.train.synthesized import speak_commands
from edgekws.train.validation import Validation

METHODS: Final = ("adapt", "scratch", "probe-base", "probe-teacher")
NOISE_CLIPS: Final = 100
PROBED_OTHERS: Final = 1000
SCRATCH_RATE: Final = 0.004


def main() -> int:
    """Run what the command line asks for; print a line per measurement, and a table."""
    args = _arguments()
    folders = Folders(
        args.words, args.test, args.unknown, args.unknown_test, args.noise, args.negatives
    )
    task = load_task(folders, args.word or (), most_drawn=max(args.k), others=args.others)
    print(
        f"{len(task.words)} words, {sum(map(len, task.test.values()))} test clips, "
        f"{len(task.others_test)} of other words, {task.hours:.2f} h of continuous speech",
        file=sys.stderr,
    )
    recipe, _ = load_recipe(args.recipe)
    rows = []
    for figures in _all(args, task, recipe):
        rows.append(figures)
        print(json.dumps({**_as_dict(figures)}), flush=True)
    _summary(rows)
    return 0


def _all(args: argparse.Namespace, task: Task, recipe: Recipe) -> Iterator[Figures]:
    base = load_base(args.base or recipe.base)
    teacher = load_speech_embedding(find_published(args.teacher, key="--teacher"))
    backbones = {
        "probe-base": remembered(net_features(base)),
        "probe-teacher": remembered(teacher_features(teacher)),
    }
    for k in args.k:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            for method in args.methods:
                if method in backbones:
                    scorer = _probe(task, backbones[method], k, seed)
                else:
                    scorer = _adapted(task, recipe, base, k, seed, scratch=method == "scratch")
                yield judge(task, scorer, method=method, k=k, seed=seed)


def _probe(task: Task, features: Features, k: int, seed: int) -> Scorer:
    drawn = task.drawn(k, seed)
    rng = np.random.default_rng([seed, 99])
    quiet = task.noise_clips(NOISE_CLIPS, seed)
    others = [clip.pcm for clip in task.others]
    picks = rng.permutation(len(others))[:PROBED_OTHERS]
    pcm = quiet + [others[i] for i in picks]
    classes = [0] * len(quiet) + [1] * len(picks)
    for index, word in enumerate(task.words):
        pcm += drawn[word]
        classes += [index + 2] * len(drawn[word])
    x = features.clips(pcm)
    return Scorer(features, Probe(x, np.array(classes, np.int64), len(task.words) + 2).scores)


def _adapted(task: Task, recipe: Recipe, base: Base, k: int, seed: int, *, scratch: bool) -> Scorer:
    """Train as `adapt` does, the last epoch's averaged weights: nothing is left to choose with."""
    recipe = replace(recipe, seed=seed + 1)
    drawn = task.drawn(k, seed)
    reporter = Reporter(0, io.StringIO())
    clips = [Clip(pcm, w, w, "training") for w in task.words for pcm in drawn[w]]
    spoken = speak_commands(task.words, recipe, reporter)
    labels = (SILENCE, UNKNOWN, *task.words)
    corpus = Corpus(
        labels, (*clips, *spoken, *task.others), tuple(task.noise), speaker_disjoint=False
    )
    torch.manual_seed(seed)
    run = base.run
    net = new_head(base, labels, window_seconds=recipe.window_seconds, order=recipe.order)
    net = build_net(net.config, len(labels)) if scratch else net
    run = replace(run, net=net.config)
    normal = Normalizer(
        TorchFrontend(run.features), torch.tensor(run.mean), torch.tensor(run.scale)
    )
    if scratch:
        recipe = replace(recipe, phases=tuple(map(_all_alike, recipe.phases)))
    length = max(RATE, run.features.samples(run.net.window_frames))
    held = np.stack([augment.centre(clip.pcm, length) for clip in clips])
    classes = np.array([labels.index(clip.label) for clip in clips], np.int64)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            net, normal, corpus, Validation(held, classes), recipe, "", Path(folder), reporter
        )
        trainer.run()
    adapted = Base(run, trainer.average.eval())
    return Scorer(net_features(adapted), lambda x: _posteriors(adapted.net, x))


def _all_alike(phase: PhaseRecipe) -> PhaseRecipe:
    """Return a phase in which random weights learn: everything, at the rate that bases train at."""
    return replace(phase, head_rate=SCRATCH_RATE, backbone_rate=SCRATCH_RATE)


@torch.inference_mode()
def _posteriors(net: StreamingNet, embeddings: Floats) -> Floats:
    return np.asarray(net.head(torch.from_numpy(embeddings)).softmax(1).numpy())


def _summary(rows: Sequence[Figures]) -> None:
    table = []
    for k in sorted({row.k for row in rows}):
        for method in dict.fromkeys(row.method for row in rows):
            own = [row for row in rows if row.k == k and row.method == method]
            cells = [str(k), method, _spread([100 * row.accuracy for row in own])]
            cells += [_spread([100 * row.misses[b] for row in own]) for b in FALSE_ACCEPTS]
            table.append(cells)
    head = ["K", "method", "accuracy %", *(f"miss % at {b:g}/h" for b in FALSE_ACCEPTS)]
    print_table(head, table)


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def _as_dict(figures: Figures) -> dict[str, object]:
    return {
        "method": figures.method,
        "k": figures.k,
        "seed": figures.seed,
        "accuracy": round(figures.accuracy, 4),
        "miss": {f"{b:g}": round(m, 4) for b, m in figures.misses.items()},
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=Path, required=True, help="a folder per new word")
    parser.add_argument("--word", action="append", help="only these of them")
    parser.add_argument("--test", type=Path, help="test clips (else what is not drawn from)")
    for name, what in (
        ("unknown", "other words to learn from"),
        ("unknown-test", "other words to test with"),
        ("noise", "noise to learn from"),
        ("negatives", "long recordings without any of the words"),
    ):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help=what)
    parser.add_argument("--recipe", type=Path, required=True, help="of `adapt`")
    parser.add_argument("--base", default="", help="in place of the recipe's")
    parser.add_argument("--teacher", default="speech-embedding")
    parser.add_argument("--k", type=int, action="append", required=True, help="recordings a word")
    parser.add_argument("--seeds", type=int, default=5, help="draws of K recordings")
    parser.add_argument("--first-seed", type=int, default=0, help="of the draws")
    parser.add_argument("--others", type=int, default=4000, help="clips of other words at most")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    return parser.parse_args()


if __name__ == "__main__":
    run_script(main)
