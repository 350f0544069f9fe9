"""Addresses of services, as a person writes them."""

import pytest

from edgekws.dispatch.tcp import Address


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [("tcp://127.0.0.1:10400", "127.0.0.1", 10_400), ("tcp://[::1]:1", "::1", 1)],
)
def test_an_address_is_read_and_written(uri: str, host: str, port: int) -> None:
    assert Address.parse(uri) == Address(host, port)
    assert Address(host, port).uri == uri


@pytest.mark.parametrize(
    "uri",
    ["unix:///tmp/x", "tcp://127.0.0.1", "tcp://:1", "tcp://a:99999", "tcp://u@a:1", "tcp://a:1/x"],
)
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"[Aa]ddress|[Pp]ort"):
        Address.parse(uri)
