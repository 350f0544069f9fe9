"""How many labels that are made wrong on purpose `data check` suspects, and how many right ones."""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
from measure import print_table, run_script

from edgekws.audio.decode import read_audio
from edgekws.train.dataset import Folders, plan_corpus
from edgekws.train.measure import RATE
from edgekws.train.pretrained import load_base
from edgekws.train.recipe_data import DataRecipe
from edgekws.train.split import speaker_of
from edgekws.train.suspects import embed, find_suspects

SEED: Final = 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+", help="one folder of recordings per label")
    parser.add_argument("--base", default="base-en")
    parser.add_argument("--clips", type=int, default=60, help="of each label, at most (60)")
    parser.add_argument("--labels", type=int, default=10, help="of a set, at most (10)")
    parser.add_argument("--share", type=float, default=0.05, help="of wrong labels (0.05)")
    args = parser.parse_args()
    rows = []
    for data in args.data:
        figures = measure(data, args)
        print(json.dumps({"data": str(data), "base": args.base, **figures}), flush=True)
        rows.append((data.name, *map(str, figures.values())))
    print_table(("set", "recordings", "made wrong", "found", "right ones suspected"), rows)
    return 0


def measure(data: Path, args: argparse.Namespace) -> dict[str, int]:
    """Return what came of one set."""
    rng = np.random.default_rng(SEED)
    plan = plan_corpus(Folders(data), commands=(), recipe=DataRecipe())
    names = plan.labels[2:][: args.labels]
    chosen = []
    for name in names:
        own = [recording for recording in plan.recordings if recording.label == name]
        chosen += [own[i] for i in rng.permutation(len(own))[: args.clips]]
    truth = np.array([names.index(recording.label) for recording in chosen], np.int64)
    wrong = rng.choice(len(truth), round(args.share * len(truth)), replace=False)
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + rng.integers(1, len(names), len(wrong))) % len(names)
    pcm = [read_audio(recording.path, sample_rate=RATE) for recording in chosen]
    speakers = [speaker_of(r.path) or str(r.path) for r in chosen]
    found = {s.index for s in find_suspects(embed(load_base(args.base), pcm), labels, speakers)}
    planted = set(wrong.tolist())
    return {
        "recordings": len(truth),
        "wrong": len(planted),
        "found": len(found & planted),
        "suspected": len(found - planted),
    }


if __name__ == "__main__":
    run_script(main)
