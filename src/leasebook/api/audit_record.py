"""The audit log's record of a call: the caller, the address, the action and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import msgspec

from leasebook.api.auth.identity import Identity
from leasebook.api.body.redaction import shown_body, shown_text
from leasebook.api.fault import refused
from leasebook.contract.actions import ACTIONS, UNNAMED
from leasebook.contract.shapes import Request
from leasebook.domain.record.audit_log import MESSAGE_MAX, OK, Entry, Line
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import Refusal

PATHS: Final = frozenset(action.path for action in ACTIONS)
"""Calls elsewhere are none: they reach nothing, and are not written down."""
KEY_MAX: Final = 64
NAMES_MAX: Final = 100
_NAMING: Final = ("instance_id", "instance_ids", "service_id", "service_ids")

Network = IPv4Network | IPv6Network
Headers = Sequence[tuple[bytes, bytes]]


class CallRecord:
    """A call as far as it is known by now. It becomes an entry once, with the verdict."""

    __slots__ = (
        "access_key",
        "account_id",
        "action",
        "address",
        "body",
        "ignored",
        "names",
        "path",
        "request_id",
        "shape",
        "token",
        "user_id",
        "well_formed",
        "written_code",
    )

    def __init__(self, request_id: str, address: str, path: str, action: str) -> None:
        self.request_id = request_id
        self.address = address
        self.path = path
        self.action = action or UNNAMED.get(path, "")
        self.account_id = ""
        self.user_id: str | None = None
        self.access_key: str | None = None
        self.body = b""
        self.ignored = b""
        """The names of keys that are not known and were passed over, as a header says them."""
        self.names: tuple[str, ...] = ()
        self.token = False
        self.shape: type[msgspec.Struct] | None = None
        """The type as which the body was decoded, without the keys in ``ignored``; None: it was not decoded."""
        self.well_formed = False
        """Whether the body was read as JSON without complaint."""
        self.written_code: str | None = None

    def claimed(self, access_key: str) -> None:
        """Take note whose key the caller names; the signature is not proved yet."""
        self.access_key = access_key[:KEY_MAX]

    def found(self, caller: Identity) -> None:
        """Take note which account the key belongs to. Whether it is really its user is not proved yet."""
        self.account_id = caller.account_id
        self.user_id = None

    def proved(self, caller: Identity) -> None:
        """Take note who calls."""
        self.user_id = caller.user_id

    @property
    def is_proved(self) -> bool:
        """Whether it is known who calls."""
        return self.user_id is not None

    def asks(self, request: Request, query_token: str | None) -> None:
        """Record the names and the client token in the request."""
        self.well_formed = True
        self.names = names_of(request)
        self.token = bool(query_token or request.client_token)

    def pressed(self, account_id: str, user_id: str, deed: str, unit_id: str) -> None:
        """Record the use of a reminder's link. The link acts for the buyer; anyone who has it may use it."""
        self.account_id, self.user_id, self.names, self.token = account_id, user_id, (unit_id,), True
        self.body = deed.encode()

    def confirmed(self, account_id: str) -> None:
        """Record the use of a confirmation link. Any reader of the mail may use it, so there is no user."""
        self.account_id, self.body = account_id, b"confirm"

    def decided(self, at: Instant, refusal: Refusal | None) -> Line:
        """Return its entry, now that the batch has decided it."""
        if refusal is None:
            return self.line(at, 200, OK, "")
        fault = refused(refusal)
        return self.line(at, fault.error.status, fault.error.code, fault.message)

    def written(self, entry: Entry) -> None:
        """Take note that its entry is committed."""
        self.written_code = entry.code

    def line(self, at: Instant, status: int, code: str, message: str) -> Line:
        """Return its entry with a verdict."""
        return self.account_id, Entry(
            at,
            self.request_id,
            self.user_id,
            self.access_key,
            self.address,
            self.path,
            self.action,
            status,
            code,
            shown_text(message[:MESSAGE_MAX]),
            shown_body(self.body, well_formed=self.well_formed, shape=self.shape, whole=not self.ignored),
            self.names,
            self.token,
        )


@cache
def _naming(request: type[Request]) -> tuple[str, ...]:
    fields = {field.name for field in msgspec.structs.fields(request)}
    return tuple(name for name in _NAMING if name in fields)


def names_of(request: Request) -> tuple[str, ...]:
    """Return the ids of instances and services that a request names."""
    fields = _naming(type(request))
    if not fields:
        return ()
    names: list[str] = []
    for field in fields:
        value = getattr(request, field)
        if type(value) is str:
            names.append(value)
        elif isinstance(value, list):
            names += [one for one in value if type(one) is str]
    return tuple(names[:NAMES_MAX])


class Addresses:
    """Finds the address that a call comes from. ``trusted`` lists the networks of proxies that it believes."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ip_network(network) for network in trusted)
        # A few proxies and many clients: what was worked out a moment ago is asked for again.
        self._behind = lru_cache(maxsize=1024)(self._origin)

    def of(self, peer: str, headers: Headers) -> str:
        """Return the address of a call: its peer's, or behind trusted proxies the right-most one that is not theirs.

        Each proxy appends the address of its peer, so the right-most address that is no trusted proxy's is the last one
        that can be believed; the caller may have written everything to the left of it.
        """
        if not self._trusted:
            return peer
        forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
        return self._behind(peer, b",".join(forwarded)) if forwarded else peer

    def _origin(self, peer: str, forwarded: bytes) -> str:
        last = peer
        for text in reversed(forwarded.decode("latin-1").split(",")):
            if not self.trusts(last):
                break
            address = _address(text.strip())
            if address is None:
                break
            last = str(address)
        return last

    def trusts(self, text: str) -> bool:
        """Whether an address is that of a proxy whose word is taken."""
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
