"""Signing in to the console."""

from __future__ import annotations

import msgspec

from leasebook.domain.values.calendar import Instant


class SpentSignIn(msgspec.Struct, frozen=True):
    """A link to sign in that was used, or a session that was ended: neither holds any more.

    ``until`` is when it would have ended by itself, in microseconds since 1970 UTC by the machine's clock. The row may
    be deleted an hour after it.
    """

    id: str
    user_id: str
    until: Instant
    spent_at: Instant
