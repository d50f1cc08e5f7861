"""Where a replica may be called: only at an address that its engine may give, whoever wrote the row."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

LOCAL: Final = frozenset({"process"})
"""Engines whose replicas listen on the machine that they run on, and nowhere else."""
_FORM: Final = re.compile(
    r"(?P<host>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[1-9][0-9]{0,4})(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)",
    re.ASCII,
)
_PORT_MAX: Final = 65_535


class Place(NamedTuple):
    """An address, read: ``path`` is what stands before every call's own."""

    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    path: str


def place_of(address: str) -> Place | None:
    """Read an address such as ``10.0.0.7:8000/leasebook/x``; returns None for what is none.

    A host is an address and no name, so that nobody who answers for names can move a replica.
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
    """Whether ``here`` may call a replica that an engine runs on a node: at that address it is what it is taken for.

    What a local engine runs on another machine listens on that machine's loopback; on this one's there would be
    somebody else at the same port.
    """
    place = place_of(address)
    if place is None:
        return False
    if engine in LOCAL:
        return node == here and place.host.is_loopback and not place.path
    return True
