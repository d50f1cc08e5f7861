"""Which users may call services from the console: those who may make service keys."""

from __future__ import annotations

from leasebook.api.auth.identity import Identities
from leasebook.batch import Overloaded, StaleIdentity
from leasebook.domain.model.service_key import UserKey

TRIES = 5


class ServiceUsers:
    """Finds what takes the place of a signed-in user's key."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def find(self, user_id: str) -> UserKey | None:
        """Return it; None where the user is gone or may make no service keys. Raises Overloaded.

        Another server may have changed the user a moment ago, which is asked of the store.
        """
        for _ in range(TRIES):
            caller = await self._identities.signed_in(user_id)
            if caller is None:
                return None
            try:
                await self._identities.confirm(caller)
            except StaleIdentity:
                self._identities.forget()
            else:
                projects = caller.service_projects
                may = projects is None or bool(projects)
                return UserKey(caller.access_key_id, caller.account_id, user_id, projects) if may else None
        raise Overloaded
