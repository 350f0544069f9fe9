"""CPU of a training example: as a recipe's [augment] has it, and with each option always on."""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from measure import print_table, run_script
from msgspec.structs import replace

from edgekws.specs import MFCC_40
from edgekws.train.batches import ExampleStream, Window
from edgekws.train.dataset import Corpus, Folders
from edgekws.train.gather import gather
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe, load_recipe
from edgekws.train.recipe_data import AugmentRecipe, Codec

WINDOW: Final = Window(96, MFCC_40)
EXAMPLES: Final = 640
RUNS: Final = 3  # the least of them counts
CODECS: Final[tuple[Codec, ...]] = ("mp3", "vorbis", "opus")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("data", type=Path, help="one folder of recordings per label")
    args = parser.parse_args()
    recipe, _ = load_recipe(args.recipe)
    corpus = gather(Folders(args.data), recipe, Reporter(), sample_rate=MFCC_40.sample_rate)
    short = replace(recipe, data=replace(recipe.data, examples_per_epoch=EXAMPLES))
    rows: list[tuple[str, float]] = []
    for name, augmented in options(recipe.augment):
        rows.append((name, cost(corpus, replace(short, augment=augmented))))
        print(json.dumps({"option": name, "microseconds": round(rows[-1][1])}), flush=True)
    usual = rows[0][1]
    print_table(
        ("option", "microseconds an example", "more"),
        [(name, f"{figure:.0f}", f"{figure - usual:+.0f}") for name, figure in rows],
    )
    return 0


def options(recipe: AugmentRecipe) -> Iterator[tuple[str, AugmentRecipe]]:
    """Give the recipe as it is, then with one option after the other always on."""
    yield "as it is", recipe
    yield "tempo", replace(recipe, tempo_probability=1.0)
    yield "pitch", replace(recipe, pitch_probability=1.0)
    yield "room", replace(recipe, room_probability=1.0)
    yield "telephone", replace(recipe, telephone_probability=1.0)
    for codec in CODECS:
        yield codec, replace(recipe, codec_probability=1.0, codecs=(codec,))
    yield "overdrive", replace(recipe, overdrive_probability=1.0)


def cost(corpus: Corpus, recipe: Recipe) -> float:
    """Return microseconds of CPU per example, after a first batch that imports and simulates."""
    stream = ExampleStream(corpus, recipe, WINDOW, epoch=0)
    next(iter(stream))
    return min(_once(stream) for _ in range(RUNS)) * 1e6


def _once(stream: ExampleStream) -> float:
    start = time.process_time()
    count = sum(len(batch.classes) for batch in stream)
    return (time.process_time() - start) / count


if __name__ == "__main__":
    run_script(main)
