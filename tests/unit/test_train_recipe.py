"""Recipes: what ships is valid, and what is not valid is refused with the key that is at fault."""

import hashlib
from pathlib import Path

import pytest

from edgekws.errors import ConfigError
from edgekws.train.recipe import load_recipe
from tests.commands import ROOT
from tests.training import recipe_text, write_recipe

SHIPPED = sorted((ROOT / "models" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_with_the_hash_of_its_bytes(path: Path) -> None:
    recipe, sha256 = load_recipe(path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(phase.epochs for phase in recipe.phases) > 0


def test_the_twelve_word_task_ships() -> None:
    recipe, _ = load_recipe(ROOT / "models" / "recipes" / "commands-12.toml")
    assert recipe.labels == ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
    assert recipe.base


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('version = "1"', 'version = "1"\nvolume = 11', "unknown field `volume`"),
        ("batch = 32", "bach = 32", r"unknown field `bach` - at `\$\.optimizer`"),
        ("batch = 32", 'batch = "32"', r"Expected `int`, got `str` - at `\$\.optimizer\.batch`"),
        ("batch = 32", "batch = 0", r">= 2 - at `\$\.optimizer\.batch`"),
        ("epochs = 1", "epochs = 0", r"\$\.phases\[0\]\.epochs"),
        ("epochs = 1\n", "", "missing required field `epochs`"),
        ("head_rate = 0.01", "head_rate = nan", r"finite number - at `\$\.phases\.0\.head_rate`"),
        ("validation_percent = 25", "validation_percent = 100", "validation_percent"),
        ("minutes = 2", "minutes = 0", r"\$\.stream\.minutes"),
        ("labels = []", 'labels = ["on", "on"]', "each command once"),
        ("labels = []", 'labels = ["_unknown_"]', "start with _"),
        ('name = "small"', 'name = "../small"', r"\$\.name"),
        ("n_features = 40", "n_features = 13", "net.n_features: the front end gives 40"),
        ("channels = 24\nkernel", "channels = 0\nkernel", "net.stages.channels"),
        ("pool_rows = 24", "pool_rows = 1", "pool_rows"),
        ("stem_stride = 2", "stem_stride = 9", "as long as its stride"),
        ('version = "1"', 'version = "1"\nbase = "base-en"', "either base .* or net"),
        ("[net]", "[net", "not valid TOML"),
        ('"small"', '"\udcff"', "not valid TOML"),
    ],
)
def test_a_faulty_recipe_is_refused_with_its_path_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = recipe_text()
    assert old in text
    path = tmp_path / "faulty.toml"
    path.write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=said) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


def test_neither_base_nor_net_is_refused(tmp_path: Path) -> None:
    text = recipe_text(base="base-en").replace('base = "base-en"', "")
    with pytest.raises(ConfigError, match=r"either base .* or net"):
        load_recipe(write_recipe(tmp_path / "r.toml", text))


def test_a_phase_in_which_nothing_learns_is_refused(tmp_path: Path) -> None:
    text = recipe_text(phases=((1, 0.0, 0.0),))
    with pytest.raises(ConfigError, match="nothing would learn"):
        load_recipe(write_recipe(tmp_path / "r.toml", text))


def test_a_missing_recipe_says_where_examples_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file.*models/recipes"):
        load_recipe(tmp_path / "none.toml")
