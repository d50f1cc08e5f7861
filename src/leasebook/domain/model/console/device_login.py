"""A machine that asks for a key of the person who confirms its code in the console."""

from __future__ import annotations

from typing import Literal

import msgspec

from leasebook.domain.values.calendar import Instant

DeviceStatus = Literal["Waiting", "Approved", "Refused"]


class DeviceLogin(msgspec.Struct, frozen=True):
    """A machine's request, which a person finds by ``user_code``.

    ``digest`` is the SHA-256, in hex, of the code that the machine keeps to itself. ``machine`` is the name that the
    machine gives itself, and ``address`` where it called from. ``until`` is when the code lapses, in microseconds since
    1970 UTC by the machine's clock; the row may be deleted an hour after it. The last four fields are None until a
    person has decided, and ``access_key_id`` also if that person refused.
    """

    user_code: str
    digest: str
    machine: str
    address: str
    until: Instant
    asked_at: Instant
    status: DeviceStatus = "Waiting"
    account_id: str | None = None
    user_id: str | None = None
    decided_at: Instant | None = None
    access_key_id: str | None = None
