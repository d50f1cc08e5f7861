"""Where a replica may be called."""

import pytest

from leasebook.domain.replicas.address import may_be_called, place_of
from leasebook.engines.ray.messages import on_a_node


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:20000", "10.0.0.7:8000/leasebook/x-1", "[fd00::7]:8000", "[::1]:1", "192.168.1.2:65535/a/b.c"],
)
def test_an_address_of_a_replica_is_a_host_in_numbers_a_port_and_a_plain_path(address: str) -> None:
    place = place_of(address)
    assert place is not None
    assert address.endswith(f":{place.port}{place.path}")


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8000",
        "metadata.internal:80",
        "169.254.169.254:80",
        "[fe80::1]:80",
        "0.0.0.0:80",
        "[::]:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:020",
        "999.0.0.1:80",
        "127.1:80",
        "2130706433:80",
        "user@10.0.0.7:80",
        "127.0.0.1:80@10.0.0.7:80",
        "10.0.0.7:80/../x",
        "10.0.0.7:80/a?b",
        "10.0.0.7:80/a#b",
        "10.0.0.7:80/%2e%2e",
        "10.0.0.7:80/a/",
        "10.0.0.7:80/a\r\nX: y",
        "10.0.0.7:80 ",
        "unix:/run/x",
        "",
    ],
)
def test_anything_else_is_never_called(address: str) -> None:
    assert place_of(address) is None
    assert not may_be_called("ray", "n", address, here="n")


def test_what_a_local_engine_runs_is_called_on_the_loopback_of_its_own_machine_only() -> None:
    assert may_be_called("process", "here", "127.0.0.1:20000", here="here")
    assert may_be_called("process", "here", "[::1]:20000", here="here")
    assert not may_be_called("process", "away", "127.0.0.1:20000", here="here")
    assert not may_be_called("process", "here", "10.0.0.7:20000", here="here")
    assert not may_be_called("process", "here", "127.0.0.1:20000/elsewhere", here="here")
    assert may_be_called("ray", "away", "10.0.0.7:8000/leasebook/x", here="here")


def test_what_a_ray_actor_says_of_its_address_is_believed_on_nodes_of_its_cluster_only() -> None:
    hosts = {"10.0.0.7", "10.0.0.8"}
    for said in ("10.0.0.7:20000", "10.0.0.8:8000/leasebook/x"):
        assert on_a_node(said, hosts) == said
    made_up: list[object] = ["10.0.0.9:80", "127.0.0.1:8000", "10.0.0.7", None, 5, "evil:80"]
    assert [on_a_node(said, hosts) for said in made_up] == [None] * 6
