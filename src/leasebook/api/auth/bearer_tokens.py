"""Short-lived tokens of access keys: made from the key's secret, and kept nowhere (ADR 0028)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs

from leasebook.api.auth.identity import Identities, Identity
from leasebook.api.fault import bad_field
from leasebook.contract.routes.bearer import EXPIRE, SECONDS_USUAL, BearerToken
from leasebook.domain.model.service_key import TokenKey, TokenWhy
from leasebook.domain.values.calendar import SECOND_US

BEGINNING: Final = "bce-v3/ALTAK-"
"""So begin the keys of the platform, and some programs look for that."""
_TOKEN: Final = re.compile(
    r"bce-v3/ALTAK-(lbt1-([0-9]{1,12})-([0-9]{1,12})-([A-Za-z0-9_-]{1,64}))/([0-9a-f]{64})", re.ASCII
)
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
AHEAD_S: Final = 300
"""How far the clock of the server that made a token may be ahead of this one's."""


class BearerTokens:
    """Makes tokens and verifies them. Every server of a store does, because each opens the secrets of access keys.

    Their times are the machine's, like those of signatures: clients compare them with their own clock.
    """

    def __init__(self, identities: Identities, *, seconds_max: int, now_us: Callable[[], int]) -> None:
        self._identities = identities
        self._seconds_max = seconds_max
        self._now_us = now_us

    def make(self, caller: Identity, query: bytes) -> BearerToken:
        """Make a token for a caller whose signature was verified. Raises Fault if the lifetime will not do.

        A longer lifetime than the setting allows is cut to that; ``expireTime`` of the answer says so.
        """
        issued = self._now_us() // SECOND_US
        expires = issued + min(_seconds_in(query), self._seconds_max)
        payload = f"lbt1-{issued}-{expires}-{caller.access_key_id}"
        return BearerToken(
            user_id=caller.user_id,
            token=f"{BEGINNING}{payload}/{caller.token_proof(payload)}",
            status="enable",
            create_time=_utc(issued),
            expire_time=_utc(expires),
        )

    def is_one(self, text: str) -> bool:
        """Whether a text has the form of a token."""
        return text.startswith(BEGINNING)

    async def find(self, text: str) -> tuple[TokenKey | None, TokenWhy, str, str]:
        """Return the token if it is valid, else the reason; and the ids of access key and account, "" if unknown.

        Raises Overloaded.
        """
        found = _TOKEN.fullmatch(text)
        if found is None:
            return None, "none", "", ""
        payload, issued, expires, access_key_id, proof = found.groups()
        caller = await self._caller(access_key_id)
        if caller is None:
            return None, "unknown", access_key_id, ""
        now = self._now_us() // SECOND_US
        why: TokenWhy = ""
        if not hmac.compare_digest(caller.token_proof(payload), proof):
            why = "wrong"
        elif now >= int(expires):
            why = "expired"
        elif int(expires) - int(issued) > self._seconds_max or int(issued) > now + AHEAD_S:
            # A holder of the secret can write any times, and the setting may be lower now.
            why = "wrong"
        elif not caller.may_call_services:
            why = "orphaned"
        key = TokenKey(access_key_id, caller.account_id, payload, _digest(proof)) if not why else None
        return key, why, access_key_id, caller.account_id

    async def holds(self, key: TokenKey) -> bool:
        """Whether the access key still is active and its user still may call services, as the store has it now.

        The time is not compared again: a call that has begun may end. Raises Overloaded.
        """
        caller = await self._caller(key.id)
        if caller is None or caller.account_id != key.account_id or not caller.may_call_services:
            return False
        return hmac.compare_digest(_digest(caller.token_proof(key.payload)), key.digest)

    async def _caller(self, access_key_id: str) -> Identity | None:
        """Return the active access key with its user. Raises Overloaded."""
        return await self._identities.current(lambda: self._identities.find(access_key_id))


def _digest(proof: str) -> str:
    return sha256(proof.encode()).hexdigest()


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds_in(query: bytes) -> int:
    """Return the lifetime that a query asks for; raises Fault."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get(EXPIRE)
    if not given:
        return SECONDS_USUAL
    if not _SECONDS.fullmatch(given[0]) or not int(given[0]):
        raise bad_field(EXPIRE, f"{given[0][:32]!r} is no whole number of seconds from 1 on.")
    return int(given[0])
