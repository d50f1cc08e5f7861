"""Where webhooks may go: never to an address inside the network that this server stands in, unless it is allowed.

Whoever may set a webhook could otherwise have this server call what only it can reach: a database, a machine's own
metadata service, itself.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_MAX: Final = 2000
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_REFUSED: Final[tuple[Network, ...]] = (
    # Python takes some of these for public.
    ipaddress.IPv4Network("192.88.99.0/24"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("fec0::/10"),
    ipaddress.IPv6Network("::/96"),
    ipaddress.IPv6Network("2001::/23"),
)
_PRINTABLE: Final = re.compile(r"[!-~]+")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")
# What a resolver may take for an address in another spelling, such as 127.1, 0x7f000001 or 2130706433.
_NUMERIC: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)(?:\.(?:0[xX][0-9A-Fa-f]*|[0-9]+))*\.?")


class BadAddress(Exception):
    """The URL, or an address that its name stands for, will not do; the message says why, in one sentence."""


class Allowed(msgspec.Struct, frozen=True):
    """What the operator permits besides public https addresses."""

    http: bool = False
    networks: tuple[Network, ...] = ()


def networks_of(text: str) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8, fd00::/8``; raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def check_url(url: str, allowed: Allowed) -> SplitResult:
    """Return the parts of a webhook's URL; raises BadAddress.

    Any port will do, since receivers are often not at 443. A name is not looked up here: what it stands for is checked
    when something is sent, each time.
    """
    if len(url) > URL_MAX or not _PRINTABLE.fullmatch(url):
        raise BadAddress(f"A URL has at most {URL_MAX} visible ASCII characters; write others as %XX or punycode.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"This is no URL: {error}.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed.http):
        raise BadAddress("The URL must begin with https://.")
    if "@" in parts.netloc:
        raise BadAddress("The URL must not carry a user or a password; the signature shows who sends.")
    if "#" in url or "\\" in url:
        raise BadAddress("The URL must have neither a fragment nor a backslash.")
    if port == 0:
        raise BadAddress("There is no port 0.")
    host = parts.hostname or ""
    literal = _literal(host, bracketed=parts.netloc.startswith("["))
    if literal is not None:
        check_address(literal, allowed)
    elif _NUMERIC.fullmatch(host) or not _NAME.fullmatch(host):
        raise BadAddress(f"{host[:64]!r} is neither a name nor an address in its usual spelling.")
    return parts


def _literal(host: str, *, bracketed: bool) -> Address | None:
    try:
        return ipaddress.IPv6Address(host) if bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        return None


def check_address(address: Address, allowed: Allowed) -> None:
    """Raise BadAddress where an address is not public and no allowed network has it.

    An IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4) is judged as that one.
    """
    judged = _meant(address)
    if any(
        one in network for one in (address, judged) for network in allowed.networks if one.version == network.version
    ):
        return
    if not _is_public(judged):
        raise BadAddress(f"{address} is not a public address.")


def _meant(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour is not None:
            return address.sixtofour
    return address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    # Documentation, benchmarks, CGNAT, this network: what the registries call not global, none of it is.
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )
