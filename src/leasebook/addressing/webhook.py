"""The addresses that webhooks may have: public ones, and others only if the operator allows their network.

Without this rule a user could make this server call targets that only it can reach: a database, the metadata service
of its machine, or itself.
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


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Every special-purpose range of IANA's two registries, also those that are called globally reachable: no receiver is in
# them. Python's own list is not used, since it differs from version to version.
NOT_PUBLIC_4: Final = _networks(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # behind carriers' NAT, and a cloud's metadata (100.100.100.200)
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # a cloud's agent, under an address that looks public
    "169.254.0.0/16",  # link-local, and most clouds' metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocols, the nearest NAT (192.0.0.9) and a cloud's metadata (192.0.0.192)
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112, anycast
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and the broadcast
)
GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
"""All unicast addresses that were ever assigned. All others are loopback, local, multicast or unassigned."""
NOT_PUBLIC_6: Final = _networks(
    "2001::/23",  # protocols: Teredo, benchmarks, ORCHID and others
    "2001:db8::/32",  # documentation
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
"""The four bytes before the IPv4 address in an ISATAP address, under any prefix (RFC 5214)."""
_PRINTABLE: Final = re.compile(r"[!-~]+")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")
# Other spellings that resolvers accept as addresses, such as 127.1, 0x7f000001 or 2130706433.
_NUMERIC: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)(?:\.(?:0[xX][0-9A-Fa-f]*|[0-9]+))*\.?")


class BadAddress(Exception):
    """The URL, or an address of its host, is not allowed; the message gives the reason in one sentence."""


class Allowed(msgspec.Struct, frozen=True):
    """The targets that the operator permits besides public https addresses."""

    http: bool = False
    networks: tuple[Network, ...] = ()


def networks_of(text: str) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8, fd00::/8``; raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def check_url(url: str, allowed: Allowed) -> SplitResult:
    """Return the parts of a webhook's URL; raises BadAddress.

    Any port is allowed, since many receivers do not use 443. This does not look the host name up: its addresses are
    checked each time something is sent.
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

    An IPv6 address that means an IPv4 one (mapped, NAT64, 6to4) is judged as that one. One that also leads to an
    IPv4 one (ISATAP) is judged as both.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise BadAddress(f"{address} names a network card of this server; no receiver is known by that.")
    if any(address in network for network in allowed.networks if network.version == address.version):
        return
    for judged in _meant(address):
        is_allowed = any(judged in network for network in allowed.networks if network.version == judged.version)
        if not is_allowed and not _is_public(judged):
            raise BadAddress(f"{address} is not a public address.")


def _meant(address: Address) -> list[Address]:
    """Return the addresses that a packet to this address may reach."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    bits = int(address)
    if address in _MAPPED or address in _NAT64:
        return [_last_four(bits)]
    found: list[Address] = [address]
    if address in _SIX_TO_FOUR:
        found = [_last_four(bits >> 80)]
    if bits >> 32 & 0xFFFF_FFFF in _ISATAP:
        found.append(_last_four(bits))
    return found


def _last_four(bits: int) -> Address:
    return ipaddress.IPv4Address(bits & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_4)
    return address in GLOBAL_6 and not any(address in network for network in NOT_PUBLIC_6)
