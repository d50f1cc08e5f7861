"""Which users may call services from the console: those who may make service keys."""

from __future__ import annotations

from leasebook.api.auth.identity import Identities
from leasebook.domain.model.service_key import UserKey


class ServiceUsers:
    """Finds what takes the place of a signed-in user's key."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def find(self, user_id: str) -> UserKey | None:
        """Return it; None where the user is gone or may make no service keys. Raises Overloaded."""
        caller = await self._identities.current(lambda: self._identities.signed_in(user_id))
        if caller is None or not caller.may_call_services:
            return None
        return UserKey(caller.access_key_id, caller.account_id, user_id)
