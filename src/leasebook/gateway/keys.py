"""Who calls: service keys, looked up once and forgotten the moment they, or their makers, change."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from leasebook.batch.shared_state import SharedState
from leasebook.contract.policies import WRITERS
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import SERVICE_KEYS, SERVICES, USERS
from leasebook.domain.model.service_key import DEAD, Key, ServiceKey, TokenKey, UserKey, may_make, orphan_of, read_key
from leasebook.gateway.ports import Tokens, Users
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository

KNOWN_MAX: Final = 100_000

Why = Literal["", "none", "unknown", "wrong", "deleted", "orphaned", "expired"]
"""Why a key is refused: it is malformed, its id is unknown, its secret is wrong, it was deleted, its maker may make no
keys any more, or it is a token whose time is over."""


class Sought(NamedTuple):
    """The result of looking a key up: the key if it is valid, else the reason, and the row that its text names.

    ``account_id`` is the account of a token's access key.
    """

    key: Key | None
    why: Why = ""
    key_id: str | None = None
    row: ServiceKey | None = None
    account_id: str = ""


class _Known(NamedTuple):
    row: ServiceKey
    is_orphaned: bool
    by_project: bool
    """Whether its maker has the right for the project of its service only, so that a move of the service ends it."""


class Keys:
    """The keys that were seen, each as the store has it now, and whether its maker could still make it.

    A commit here that touches a key throws it out before its caller is answered, one that touches a user all of them,
    and one that touches a service those that a user with a policy for its project made. Where other servers write,
    every call asks the store whether anybody's key or right has changed (the identity epoch), and looks it up again if
    so; that does not tell of services that moved, so keys of those users are looked up for every call.
    """

    def __init__(self, reader: Reader, facts: SharedState, tokens: Tokens, users: Users, *, alone: bool) -> None:
        self._tokens = tokens
        self._users = users
        self._reader = reader
        self._facts = facts
        self._alone = alone
        self._known: dict[str, _Known] = {}
        self._of_projects: dict[str, set[str]] = {}
        """The known keys by the project of a service, by the service."""
        self._turn = 0
        self._epoch: str | None = None

    def committed(self, changes: Changes) -> None:
        """Forget the keys that a batch changed, and all keys if it changed the rights of a user."""
        for row in (*changes.updated.get(SERVICE_KEYS, ()), *changes.inserted.get(SERVICE_KEYS, ())):
            self._turn += 1
            self._known.pop(row.id, None)
        for service in changes.updated.get(SERVICES, ()):
            self._turn += 1
            for key_id in self._of_projects.pop(service.id, ()):
                self._known.pop(key_id, None)
        if USERS in changes:
            self._turn += 1
            self._forget()

    async def find(self, text: str) -> Sought:
        """Look for the key with that text."""
        if self._tokens.is_one(text):
            token, why, key_id, account_id = await self._tokens.find(text)
            return Sought(token, why, key_id or None, account_id=account_id)
        given = read_key(text)
        if given is None:
            return Sought(None, "none")
        known = self._known.get(given.id) if self._alone else await self._current(given.id)
        if known is None:
            known = await self._look_up(given.id)
        if known is None:
            return Sought(None, "unknown", given.id)
        row = known.row
        if row.status != "Active":
            return Sought(None, "deleted", row.id, row)
        if not row.is_that(given.text):
            return Sought(None, "wrong", row.id, row)
        return Sought(None, "orphaned", row.id, row) if known.is_orphaned else Sought(row)

    async def of_user(self, user_id: str) -> UserKey | None:
        """Return what takes the place of a signed-in user's key; None: the user may call no services."""
        return await self._users.find(user_id)

    async def holds(self, key: Key) -> bool:
        """Whether a key that was found still opens what it did."""
        if isinstance(key, UserKey):
            return await self._users.find(key.user_id) is not None
        if isinstance(key, TokenKey):
            return await self._tokens.holds(key)
        known = self._known.get(key.id) if self._alone else await self._current(key.id)
        if known is None:
            known = await self._look_up(key.id)
        if known is None or known.is_orphaned:
            return False
        return known.row.status == "Active" and known.row.digest == key.digest

    async def _current(self, key_id: str) -> _Known | None:
        """Return the cached key, unless another server has changed a key or a right since."""
        if key_id not in self._known:
            return None
        if (await self._facts.now()).identity_epoch != self._epoch:
            self._turn += 1
            self._forget()
        known = self._known.get(key_id)
        return None if known is None or known.by_project else known

    async def _look_up(self, key_id: str) -> _Known | None:
        turn = self._turn
        epoch, known = await self._reader.read(lambda ask: (ask.fact(IDENTITY_EPOCH), _look(ask, key_id)))
        if epoch != self._epoch:
            self._forget()
            self._epoch = epoch
        if known is None:
            return None
        # A row that was read before a change must not be cached after it.
        if turn == self._turn:
            if len(self._known) >= KNOWN_MAX:
                self._forget()
            self._known[key_id] = known
            if known.by_project and known.row.service_id is not None:
                self._of_projects.setdefault(known.row.service_id, set()).add(key_id)
        return known

    def _forget(self) -> None:
        self._known.clear()
        self._of_projects.clear()


def _look(ask: ReadRepository, key_id: str) -> _Known | None:
    """Return a key as the store has it, and whether its maker may still make it."""
    key = ask.service_key(key_id)
    if key is None:
        return None
    maker = ask.user(key.created_by)
    by_project = maker is not None and key.service_id is not None and not may_make(maker, WRITERS)
    service = ask.service(key.service_id) if by_project and key.service_id is not None else None
    project_id = None if service is None else service.project_id
    return _Known(key, orphan_of(key, maker, WRITERS, project_id=project_id) in DEAD, by_project)
