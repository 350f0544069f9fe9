"""The page on recipes: it names every key with its default and what is allowed, and no others."""

import json
import re
from typing import Final

import msgspec
import msgspec.inspect as shape
import pytest

from edgekws.train.recipe import Recipe
from tests.commands import ROOT
from tests.training import recipe_of

PAGE: Final = (ROOT / "docs" / "recipes.md").read_text()
TOP: Final = "Top of the file"


def structs() -> dict[str, shape.StructType]:
    """Return the table of each heading: `[data]`, `[[phases]]`, the top; nets have another page."""
    found = {TOP: shape.type_info(Recipe)}
    for field in found[TOP].fields:
        if field.name == "net":
            continue
        options = field.type.types if isinstance(field.type, shape.UnionType) else (field.type,)
        for option in options:
            if isinstance(option, shape.StructType):
                found[f"[{field.name}]"] = option
            if isinstance(getattr(option, "item_type", None), shape.StructType):
                found[f"[[{field.name}]]"] = option.item_type
    return found


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Return the (default, allowed) cells of each key under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [re.split(r" \| ", line.strip("| ")) for line in section.splitlines() if "| `" in line]
    return {key.strip("`"): (default, allowed) for key, default, allowed, _ in cells}


@pytest.mark.parametrize("heading", structs())
def test_every_key_has_a_row_and_every_row_a_key(heading: str) -> None:
    assert sorted(rows(heading)) == sorted(f.encode_name for f in structs()[heading].fields)


@pytest.mark.parametrize("heading", structs())
def test_defaults_are_those_of_the_code(heading: str) -> None:
    for field in structs()[heading].fields:
        stated, _ = rows(heading)[field.encode_name]
        if field.required:
            assert stated == "required", field.name
        elif isinstance(field.type, shape.StructType):
            assert stated == "its defaults", field.name
        elif field.default is None:
            assert stated == "none", field.name
        else:
            made = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            value = json.loads(stated.strip("`"))
            assert value == json.loads(msgspec.json.encode(made)), field.name
            assert type(value) is type(json.loads(msgspec.json.encode(made))), field.name


@pytest.mark.parametrize("heading", structs())
def test_names_to_choose_from_are_all_there(heading: str) -> None:
    for field in structs()[heading].fields:
        if isinstance(field.type, shape.LiteralType):
            _, allowed = rows(heading)[field.encode_name]
            assert sorted(re.findall(r"`([^`]+)`", allowed)) == sorted(field.type.values)


def test_the_example_is_a_recipe() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert recipe_of(block).phases[1].layer_decay == 0.8
