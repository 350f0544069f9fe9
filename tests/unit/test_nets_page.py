"""The page on nets: its example is one that `adapt` takes, its figures are those of the nets."""

import re
import tomllib

import msgspec

from edgekws.train.nets import NetConfig, build_net
from edgekws.train.recipe import load_recipe
from tests.commands import ROOT
from tests.training import recipe_of, recipe_text

PAGE = (ROOT / "docs" / "nets.md").read_text()
LABELS = 12


def example() -> str:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return str(block)


def net_of(row: str, before: NetConfig | None = None) -> NetConfig | None:
    """Return the net of a row's recipe, of the row before with a key changed, or of the example."""
    if named := re.search(r"`(.*\.toml)`", row):
        return load_recipe(ROOT / "models" / "recipes" / named[1])[0].net
    if changed := re.search(r"the same with `(.*)`", row):
        return msgspec.convert(
            {**msgspec.to_builtins(before), **tomllib.loads(changed[1])}, NetConfig
        )
    return msgspec.convert(tomllib.loads(example())["net"], NetConfig)


def test_the_example_makes_a_recipe() -> None:
    assert recipe_of(recipe_text(net=example())).net == net_of("MLPerf Tiny's shape, below")


def test_kinds_and_costs_are_those_of_the_nets() -> None:
    rows = [
        line.split("|")[1:-1]
        for line in PAGE.splitlines()
        if re.match(r"\| .*`\S+` \| [\d,]+ \| \d+\.\d", line)
    ]
    assert len(rows) == 9
    config: NetConfig | None = None
    for name, kind, parameters, millions, _ in rows:
        config = net_of(name, config)
        assert config is not None
        cost = build_net(config, LABELS).cost()
        assert kind.strip() == f"`{msgspec.to_builtins(config)['kind']}`"
        assert parameters.strip() == f"{cost.parameters:,}"
        per_second = cost.macs_per_row * 100 / config.frames_per_score
        assert millions.strip() == f"{per_second / 1e6:.1f}"
