"""Recipes: what ships is valid, and what is not valid is refused with the key that is at fault."""

import hashlib
from pathlib import Path
from typing import Final

import pytest

from edgekws.errors import ConfigError
from edgekws.train import teacher_file
from edgekws.train.pretrained import load_base
from edgekws.train.recipe import load_recipe
from tests.commands import ROOT
from tests.training import DS_CNN, NET, recipe_text, write_recipe

SHIPPED = sorted((ROOT / "models" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_with_the_hash_of_its_bytes(path: Path) -> None:
    recipe, sha256 = load_recipe(path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(phase.epochs for phase in recipe.phases) > 0


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_a_shipped_recipe_begins_with_and_learns_from_ships_too(path: Path) -> None:
    recipe, _ = load_recipe(path)
    taught = recipe.distillation.teacher if recipe.distillation else ""
    for name in filter(None, (recipe.base, taught)):
        if name != teacher_file.NAME:  # which `edgekws fetch` brings
            assert load_base(name).run.name == name


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
        ('kind = "tcn"\n', "", r"missing required field `kind` - at `\$\.net`"),
        ('kind = "tcn"', 'kind = "rnn"', r"Invalid value 'rnn' - at `\$\.net\.kind`"),
        ("batch = 32", "batch = 32\n[[synthesis]]\ntakes = 0", r"\$\.synthesis\[0\]\.takes"),
        (
            "[stream]",
            '[[synthesis]]\ntakes = 1\nengine = "siri"\n[stream]',
            r"Invalid enum value 'siri' - at `\$\.synthesis\[0\]\.engine`",
        ),
        (
            "[stream]",
            '[[synthesis]]\ntakes = 1\nengine = "piper"\n[stream]',
            "voices: piper speaks in voices that you have",
        ),
        ("[data]", '[data]\nlanguage = "en us"', r"\$\.data\.language"),
        ("[data]", '[data]\nlanguages = { on = "" }', r"\$\.data\.languages"),
        ('version = "1"', 'version = "1"\nbase = "base-en"', "either base .* or net"),
        ('version = "1"', 'version = "1"\nwindow_seconds = 2.0', "window_seconds: is of a base"),
        ("[net]", "[order]\nchannels = 8\nkernel = 3\ndilation = 1\n[net]", "order: is of a base"),
        ("[net]", "[net", "not valid TOML"),
        ("batch = 32", "bach = 32", r"allowed: kind, .*, batch, .*patience; mend that key"),
        ("head_rate = 0.01", "had_rate = 0.01", "allowed: epochs, head_rate, .*quantization_aware"),
        (
            "pool_rows = 24",
            "pool_row = 24",
            "allowed: kind, n_features, .*pool_rows, dropout, order, stem_dilated;",
        ),
        (
            "24\nkernel = 5",
            "24\ncolonel = 5",
            "allowed: channels, kernel, depth, blocks, stride, dilated;",
        ),
        ('kind = "tcn"', 'kind = "rnn"', "allowed: tcn, bc-resnet, crnn, ds-cnn, speech-embedding"),
        ('"small"', '"\udcff"', "not valid TOML"),
    ],
)
def test_a_faulty_recipe_is_refused_with_its_path_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    check_refused(tmp_path / "faulty.toml", recipe_text(), old, new, said)


@pytest.mark.parametrize(
    ("net", "old", "new", "said"),
    [
        (NET, "channels = 24\nkernel", "channels = 0\nkernel", r"net\.stages\[0\]\.channels"),
        (NET, "pool_rows = 24", "pool_rows = 1", r">= 2 - at `\$\.net\.pool_rows`"),
        (NET, "dropout = 0.1", "dropout = 1.0", r"< 1.0 - at `\$\.net\.dropout`"),
        (NET, "stem_stride = 2", "stem_stride = 9", "stem_kernel: .* as long as its stride"),
        (NET, "stride = 1", "stride = 6", r"kernel: .* as its stride.* at `\$\.net\.stages\[0\]`"),
        (NET, "dropout = 0.1", "dropout = 0.1\nmfcc = 10", "unknown field `mfcc`"),
        (DS_CNN, "mfcc = 10", "mfcc = 41", "mfcc: the first so many of 40"),
        (DS_CNN, "step_frames = 8", "step_frames = 7", "window_frames: .* whole step_frames"),
        (DS_CNN, "step_frames = 8", "step_frames = 96", "two or more whole step_frames"),
        (DS_CNN, "stem_stride = [4, 2]", "stem_stride = [4, 5]", "stem_stride: .* stem_kernel"),
        (DS_CNN, "mfcc = 10", "mfcc = 1", "stem_stride: .* the window"),
        (DS_CNN, "stem_kernel = [20, 4]", "stem_kernel = [20]", r"at `\$\.net\.stem_kernel`"),
        (DS_CNN, "blocks = 2", "blocks = 0", r">= 1 - at `\$\.net\.blocks`"),
    ],
)
def test_sizes_that_no_net_can_have_are_refused(
    tmp_path: Path, net: str, old: str, new: str, said: str
) -> None:
    check_refused(tmp_path / "faulty.toml", recipe_text(net=net), old, new, said)


def check_refused(path: Path, text: str, old: str, new: str, said: str) -> None:
    """Assert that with `new` for `old` the recipe is refused, and why and where is said."""
    load_recipe(write_recipe(path, text))
    assert old in text
    path.write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=said) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


TRAINING_KEYS: Final = {
    "schedule": "cosine, fixed, one-cycle, plateau, stepped",
    "kind": "adam, adamw, momentum, sgd",
    "loss": "cross-entropy, focal, max-pooling, squared-error",
    "gradient_clipping": "l1, l2, none, value",
    "average": "ema, none, uniform",
    "precision": "bfloat16, float32",
    "initialization": "default, he, random, uniform, xavier",
}


@pytest.mark.parametrize("key", TRAINING_KEYS)
def test_a_name_that_is_none_of_the_allowed_is_refused_with_those(tmp_path: Path, key: str) -> None:
    for name in TRAINING_KEYS[key].split(", "):
        load_recipe(write_recipe(tmp_path / "r.toml", with_key(key, f'"{name}"')))
    with pytest.raises(ConfigError, match=rf"{key}`; allowed: {TRAINING_KEYS[key]}"):
        load_recipe(write_recipe(tmp_path / "r.toml", with_key(key, '"best"')))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("momentum", "1.0", r"< 1.0 - at `\$\.optimizer\.momentum`"),
        ("focal_gamma", "-1.0", r">= 0.0 - at `\$\.optimizer\.focal_gamma`"),
        ("scored_frames", "0", r">= 1 - at `\$\.optimizer\.scored_frames`"),
        ("gradient_norm", "0.0", r"> 0.0 - at `\$\.optimizer\.gradient_norm`"),
        ("average_epochs", "0", r">= 1 - at `\$\.optimizer\.average_epochs`"),
        ("drop_epochs", "0", r">= 1 - at `\$\.phases\[0\]\.drop_epochs`"),
        ("drop_factor", "1.0", r"< 1.0 - at `\$\.phases\[0\]\.drop_factor`"),
        ("layer_decay", "0.0", r"> 0.0 - at `\$\.phases\[0\]\.layer_decay`"),
        ("unfreeze_fraction", "1.5", r"<= 1.0 - at `\$\.phases\[0\]\.unfreeze_fraction`"),
        ("temperature", "0.0", r"> 0.0 - at `\$\.distillation\.temperature`"),
        ("weight", "2.0", r"<= 1.0 - at `\$\.distillation\.weight`"),
        ("teacher", '""', r"give teacher .* or embedding.* at `\$\.distillation`"),
        ("undisturbed", "true", r"undisturbed is for a teacher .* at `\$\.distillation`"),
        ("embedding_weight", "0.0", r"> 0.0 - at `\$\.distillation\.embedding_weight`"),
        (
            "techer",
            '"x"',
            "unknown field `techer`.*allowed: teacher, temperature, weight, undisturbed, embedding",
        ),
    ],
)
def test_an_impossible_value_is_refused_with_its_key(
    tmp_path: Path, key: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_recipe(write_recipe(tmp_path / "r.toml", with_key(key, value)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            recipe_text(phases=((1, 0.0, 0.1),)).replace(
                "epochs = 1", "epochs = 1\nunfreeze_fraction = 0.5"
            ),
            "unfreeze_fraction: needs head_rate and backbone_rate above 0",
        ),
        (
            recipe_text(base="base-en").replace("labels", 'initialization = "he"\nlabels'),
            "initialization: a base has its weights",
        ),
        (
            recipe_text()
            .replace("epochs = 1", "epochs = 1\nquantization_aware = true")
            .replace("batch = 32", 'batch = 32\nprecision = "bfloat16"'),
            "optimizer.precision: a quantization_aware phase needs float32",
        ),
    ],
)
def test_keys_that_exclude_each_other_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_recipe(write_recipe(tmp_path / "r.toml", text))


PHASE_KEYS: Final = ("schedule", "drop_epochs", "drop_factor", "layer_decay", "unfreeze_fraction")
TEACHER: Final = 'teacher = "big"\n'
TEACHER_KEYS: Final = (
    *("teacher", "techer", "temperature", "weight", "undisturbed", "embedding_weight"),
)


def with_key(key: str, value: str) -> str:
    """Return a recipe with a key where it belongs."""
    line, text = f"{key} = {value}", recipe_text()
    if key == "initialization":
        return f"{line}\n{text}"
    if key in TEACHER_KEYS:
        teacher = {"teacher": "", "undisturbed": 'embedding = "strong"\n'}.get(key, TEACHER)
        return f"{text}\n[distillation]\n{teacher}{line}\n"
    return text.replace(
        *(
            ("epochs = 1", f"epochs = 1\n{line}")
            if key in PHASE_KEYS
            else ("batch = 32", f"batch = 32\n{line}")
        )
    )


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
