"""The addresses at which a replica may be called: its engine must be able to give them, or a row was forged."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

LOCAL: Final = frozenset({"process"})
"""Engines whose replicas listen only on the machine that they run on."""
_FORM: Final = re.compile(
    r"(?P<host>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[1-9][0-9]{0,4})(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)",
    re.ASCII,
)
_PORT_MAX: Final = 65_535


class Place(NamedTuple):
    """A parsed address. ``path`` is the prefix of every call's path."""

    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    path: str


def place_of(address: str) -> Place | None:
    """Parse an address such as ``10.0.0.7:8000/leasebook/x``; returns None if it has another form.

    A host must be an IP address, not a name: otherwise control over DNS would be control over where calls go.
    """
    found = _FORM.fullmatch(address)
    if found is None or int(found["port"]) > _PORT_MAX:
        return None
    try:
        host = ipaddress.ip_address(found["host"].strip("[]"))
    except ValueError:
        return None
    if host.is_unspecified or host.is_multicast or host.is_link_local or host == ipaddress.IPv4Address(2**32 - 1):
        return None
    return Place(host, int(found["port"]), found["path"])


def may_be_called(engine: str, node: str, address: str, *, here: str) -> bool:
    """Whether ``here`` may call a replica that an engine runs on a node, at that address.

    A replica of a local engine listens on its own machine's loopback. From another machine, the same port of the
    loopback would be a different process.
    """
    place = place_of(address)
    if place is None:
        return False
    if engine in LOCAL:
        return node == here and place.host.is_loopback and not place.path
    return True
