"""Signing in to the console."""

from __future__ import annotations

import msgspec

from leasebook.domain.values.calendar import Instant


class SpentSignIn(msgspec.Struct, frozen=True):
    """A link to sign in that was used, a session that was ended, or an address of a calendar: none holds any more.

    ``until`` is when it would have ended by itself, in microseconds since 1970 UTC by the machine's clock. The row may
    be deleted an hour after it.
    """

    id: str
    user_id: str
    until: Instant
    spent_at: Instant


class Password(msgspec.Struct, frozen=True):
    """A login name with the hash of its password (argon2id); the hash is empty for a name that is free again.

    ``changed_at`` is by the machine's clock, as the times of sessions are. ``totp`` is the secret of the second factor,
    sealed under the master key; None: there is none. ``totp_step`` is the half minute since 1970 UTC of the last code
    that was used, and ``recovery`` has the digests of the recovery codes that are left. ``by_operator``: an operator
    set the password; a manager of the account may know any other.
    """

    login: str
    user_id: str
    hash: str
    changed_at: Instant
    totp: bytes | None = None
    totp_step: int = 0
    recovery: tuple[str, ...] = ()
    by_operator: bool = False
