"""A base: found by path or name, and its known labels keep their rows in a new head."""

from pathlib import Path

import msgspec
import pytest
import torch

from edgekws.errors import ConfigError, RunError
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.nets import StreamingTcn
from edgekws.train.nets.tcn import OrderConfig
from edgekws.train.pretrained import Base, find_base, load_base, new_head
from edgekws.train.run import save_run
from tests.runs import LABELS, SMALL_DS_CNN, trained

ORDER = OrderConfig(channels=8, kernel=3, dilation=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "models" / "tones"
    save_run(folder, trained().run, trained().net)
    return folder


def test_a_base_is_found_by_path_and_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_base(str(folder)) == folder
    monkeypatch.chdir(folder.parents[1])
    assert find_base("tones").resolve() == folder


def test_a_base_that_does_not_exist_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'no-base': no finished run in .*models/no-base"):
        load_base("no-base")
    with pytest.raises(ConfigError, match="no finished run"):
        load_base(str(tmp_path))


def test_a_base_with_damaged_weights_is_a_run_error(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "weights.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        load_base(str(tmp_path))


def test_known_labels_keep_their_rows_and_the_backbone_is_the_bases(folder: Path) -> None:
    base, wanted = load_base(str(folder)), (SILENCE, UNKNOWN, "falling", "开灯")
    torch.manual_seed(1)
    net = new_head(base, wanted)
    for row, label in enumerate(wanted):
        if label in LABELS:
            known = LABELS.index(label)
            assert torch.equal(net.head.weight[row], base.net.head.weight[known])
            assert torch.equal(net.head.bias[row], base.net.head.bias[known])
        else:
            rows = base.net.head.weight
            assert not any(torch.equal(net.head.weight[row], other) for other in rows)
    ours, theirs = backbone_of(net), backbone_of(base.net)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert any(name.endswith("running_mean") for name in ours)


def test_a_longer_window_changes_the_pool_and_no_weight(folder: Path) -> None:
    base = load_base(str(folder))
    net = new_head(base, LABELS, window_seconds=2.0)
    assert net.config.window_frames == 200
    assert net.config != base.run.net
    for name, tensor in base.net.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor)


def test_a_net_that_pools_over_no_time_cannot_be_given_a_window(folder: Path) -> None:
    base = load_base(str(folder))
    other = msgspec.structs.replace(base.run, net=SMALL_DS_CNN)
    with pytest.raises(ConfigError, match="window_seconds"):
        new_head(Base(other, base.net), LABELS, window_seconds=2.0)


def test_an_ear_for_order_is_new_and_leaves_the_window_as_long(folder: Path) -> None:
    base = load_base(str(folder))
    assert isinstance(base.net, StreamingTcn)
    torch.manual_seed(1)
    net = new_head(base, LABELS, window_seconds=2.0, order=ORDER)
    assert net.config.window_frames == 200
    assert isinstance(net, StreamingTcn)
    assert net.upper() == [net.order, net.head]
    assert net.head.in_features == 2 * ORDER.channels
    ours, theirs = backbone_of(net), backbone_of(base.net)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    again = new_head(Base(msgspec.structs.replace(base.run, net=net.config), net), LABELS)
    assert all(torch.equal(x, net.state_dict()[name]) for name, x in again.state_dict().items())


def test_an_ear_for_order_of_another_size_starts_anew(folder: Path) -> None:
    base = load_base(str(folder))
    net = new_head(base, LABELS, order=ORDER)
    wider = msgspec.structs.replace(ORDER, channels=12)
    known = Base(msgspec.structs.replace(base.run, net=net.config), net)
    assert new_head(known, LABELS, order=wider).head.in_features == 24


def test_only_a_tcn_can_be_given_an_ear_for_order(folder: Path) -> None:
    base = load_base(str(folder))
    other = msgspec.structs.replace(base.run, net=SMALL_DS_CNN)
    with pytest.raises(ConfigError, match=r"order: base .* is not a tcn"):
        new_head(Base(other, base.net), LABELS, order=ORDER)


def backbone_of(net: StreamingTcn) -> dict[str, torch.Tensor]:
    return {name: t for name, t in net.state_dict().items() if not name.startswith("head.")}
