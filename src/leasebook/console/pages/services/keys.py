"""The keys that open a service, as its page shows them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame.words import marked
from leasebook.contract.action import SERVICE

AT_ONCE: Final = 1000
"""Keys of the account that are looked through."""
ORPHANS: Final[dict[str, tuple[str, str]]] = {
    "MakerGone": (marked("Opens nothing: its maker was deleted"), "bad"),
    "MakerMayNot": (marked("Opens nothing: its maker may not make keys any more"), "bad"),
    "MakerHasNoKey": (marked("Its maker has no active access key; it still works"), "warn"),
}
"""By the reason why no active user is responsible for a key: the words, and the class that colours them."""


class Keys(msgspec.Struct, frozen=True):
    """The active keys that open a service: its own ones and those of the whole account.

    ``is_complete`` is false where the account has more keys than were looked through. ``fault``: why none are shown.
    """

    rows: list[Any] = []
    is_complete: bool = True
    fault: Fault | None = None


async def keys_of(desk: Desk, service_id: str) -> Keys | None:
    """Return the keys that open a service; None where the user may not see them."""
    found, fault = await desk.try_to(SERVICE, "DescribeServiceKeys", {"maxKeys": AT_ONCE})
    if found is None:
        return None if fault is None else Keys(fault=fault)
    if not found.is_truncated:
        return Keys([one for one in found.key_list if one.service_id in (None, service_id)])
    # Of very many keys those for this service alone are found by the service.
    own, fault = await desk.try_to(SERVICE, "DescribeServiceKeys", {"maxKeys": AT_ONCE, "serviceId": service_id})
    rows = [] if own is None else own.key_list
    return Keys([*(one for one in found.key_list if one.service_id is None), *rows], is_complete=False, fault=fault)


def opens_all(desk: Desk) -> bool:
    """Whether the reader may make keys for every service of the account."""
    return desk.projects_of(SERVICE, "CreateServiceKey") is None
