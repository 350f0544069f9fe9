"""Several languages in one model: the page's recipe and the shipped one are those `adapt` takes."""

import re

import pytest

from edgekws.specs import RESERVED_LABELS
from edgekws.train.pretrained import load_base, new_head
from edgekws.train.recipe import Recipe, load_recipe
from tests.commands import ROOT
from tests.training import recipe_of

PAGE = (ROOT / "docs" / "languages.md").read_text()


@pytest.fixture(scope="module")
def shipped() -> Recipe:
    return load_recipe(ROOT / "models" / "recipes" / "three-languages.toml")[0]


def test_the_shipped_recipe_has_four_commands_of_each_language(shipped: Recipe) -> None:
    spoken = [shipped.data.language_of(label) for label in shipped.labels]
    assert [(name, spoken.count(name)) for name in shipped.data.languages_of(shipped.labels)] == [
        ("en", 4),
        ("ar", 4),
        ("cmn", 4),
    ]
    assert set(shipped.data.languages) <= set(shipped.labels)


def test_the_shipped_recipe_makes_a_net_of_its_base(shipped: Recipe) -> None:
    labels = (*RESERVED_LABELS, *shipped.labels)
    assert new_head(load_base(shipped.base), labels).head.out_features == len(labels)


def test_the_page_shows_a_recipe_of_several_languages() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = recipe_of(block)
    assert len(shown.data.languages_of(shown.labels)) == 3
    assert shown.multitask.language_weight > 0
