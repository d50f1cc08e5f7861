"""Who is calling: access keys, looked up once and forgotten the moment they change."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from leasebook.batch import KeyUses, Overloaded, StaleIdentity
from leasebook.batch.shared_state import SharedState
from leasebook.contract.action import Action
from leasebook.contract.policies import FULL, OPERATOR, WRITERS
from leasebook.contract.prepared_key import PreparedKey
from leasebook.contract.signing import Authorization, signing_key
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.project_scope import Projects
from leasebook.domain.book.tables import ACCESS_KEYS, USERS
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.record.identity_log import MASTER_KEY
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader

KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""No key that is made here, or that the root's setting takes, looks otherwise."""
ASKED_MAX: Final = 500
"""Keys that one question asks for."""
UNKNOWN_MAX: Final = 10_000
"""Upper bound on the unknown keys in the cache."""
SIGNING_KEYS_MAX = 64
KNOWN_MAX = 100_000
TRIES: Final = 5
"""Looks for a caller whom other servers change meanwhile."""
AT_THE_CONSOLE: Final = "console:"
"""Together with a user's id it takes the place of an access key's id. No key's id has a colon."""


class Looked(NamedTuple):
    """The store's answer about a key."""

    epoch: str | None
    found: tuple[AccessKey, User] | None
    master_key: str | None
    """The fingerprint of the master key that the store is sealed under."""


class Identity:
    """A caller: the key that signs, the user whose it is, and what that user may do.

    It lives in memory only, and holds the secret because every signature is computed with it.
    """

    __slots__ = (
        *("_secret", "_signing_keys", "access_key_id", "account_id", "epoch", "policies", "project_policies"),
        *("requires", "user_id"),
    )

    def __init__(self, key: AccessKey, user: User, secret: str, epoch: str | None) -> None:
        self.access_key_id = key.id
        self.account_id = key.account_id
        self.user_id = user.id
        self.epoch = epoch
        self.policies = policies_of(user)
        self.project_policies = user.project_policies
        self.requires = frozenset((*key.requires, *user.requires))
        self._secret = secret
        self._signing_keys: dict[str, PreparedKey] = {}

    def __repr__(self) -> str:
        return f"Identity({self.access_key_id})"

    def signing_key(self, auth: Authorization) -> PreparedKey:
        """Return the key for this signature's moment; clients sign many requests within the same second."""
        key = self._signing_keys.get(auth.prefix)
        if key is None:
            if len(self._signing_keys) >= SIGNING_KEYS_MAX:
                self._signing_keys.clear()
            key = self._signing_keys[auth.prefix] = PreparedKey(signing_key(self._secret, auth.prefix))
        return key

    def token_proof(self, payload: str) -> str:
        """Return what proves a short-lived token: only who knows the secret can compute it.

        No text that is signed in a request begins like the first one here, so neither proof can serve as the other.
        """
        key = hmac.digest(self._secret.encode(), b"leasebook bearer token 1", "sha256")
        return hmac.digest(key, payload.encode(), "sha256").hex()

    @property
    def may_call_services(self) -> bool:
        """Whether the user may make service keys, and so may call services with a token."""
        return not self.policies.isdisjoint(WRITERS)

    @property
    def is_operator(self) -> bool:
        """Whether the caller runs this service, rather than only using it."""
        return OPERATOR in self.policies

    def may(self, action: Action) -> bool:
        """Whether a policy of the caller's permits the action, in its own account or in others."""
        return self.may_at_home(action) or self.may_across(action)

    def may_at_home(self, action: Action) -> bool:
        """Whether a policy permits the action in the caller's own account, or in projects of it."""
        return self._in_account(action) or bool(self.projects_for(action))

    def _in_account(self, action: Action) -> bool:
        return not action.policies or not action.policies.isdisjoint(self.policies)

    def projects_for(self, action: Action) -> Projects:
        """Return the projects for which a policy permits the action, by their public ids."""
        if not self.project_policies or action.project != "scoped":
            return frozenset()
        permitting = (one.project_ids for one in self.project_policies if one.policy in action.policies)
        return frozenset(project_id for ids in permitting for project_id in ids)

    def within(self, action: Action, account_named: object) -> Projects | None:
        """Return the projects that a call of the action, which the caller may make, is confined to; None: it is not.

        ``account_named`` is the account that the request names. A write is in another account only if it names that,
        and a read that names none is of the own one, which policies over every account permit as well.
        """
        if not self.project_policies or self._in_account(action):
            return None
        if self.may_across(action) and (not action.writes or account_named not in (None, self.account_id)):
            return None
        return self.projects_for(action)

    def may_across(self, action: Action) -> bool:
        """Whether a policy permits the action in any account that the request names."""
        return not action.across.isdisjoint(self.policies)


class SignedIn(Identity):
    """A user at the console: the session has proved who it is, and no key signs. ``access_key_id`` is no key's."""

    __slots__ = ()

    def __init__(self, user: User, epoch: str | None) -> None:
        self.access_key_id = f"{AT_THE_CONSOLE}{user.id}"
        self.account_id = user.account_id
        self.user_id = user.id
        self.epoch = epoch
        self.policies = policies_of(user)
        self.project_policies = user.project_policies
        self.requires = frozenset()
        self._secret = ""
        self._signing_keys = {}

    def token_proof(self, payload: str) -> str:
        """Raise: without a key there is no secret, and a proof by an empty one would be one that anyone can make."""
        raise NotImplementedError(payload)


def policies_of(user: User) -> frozenset[str]:
    """Return the policies of a user. The root of an account may do everything in it."""
    return frozenset(user.policies) | ({FULL} if user.is_root else frozenset())


def not_permitted(caller: Identity, action: Action) -> str:
    """Say why a caller may not call an action, and which policy would permit it."""
    takes = f"{action.name} takes one of {', '.join(sorted(action.permitted))}"
    for one in caller.project_policies:
        if one.policy in action.policies:
            return (
                f"{takes} for the whole account, and this key's user has {one.policy} for projects of it only. A "
                "manager of the account can attach it for the account (AttachPolicy without projectIds, /v2/iam)."
            )
    return f"{takes}, and this key's user has none of them."


C = TypeVar("C", bound=Identity)


class Lookups:
    """Looks keys up in the store: one query at a time, for all calls that wait.

    A flood of calls with unknown keys therefore causes one query at a time, and not one each.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: list[tuple[str, asyncio.Future[Looked]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def find(self, access_key_id: str) -> Looked:
        """Return the store's identity epoch, and the key with its user, where there is one."""
        future: asyncio.Future[Looked] = asyncio.get_running_loop().create_future()
        self._waiting.append((access_key_id, future))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="keys")
        return await future

    async def _ask(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting[:ASKED_MAX], self._waiting[ASKED_MAX:]
            ids = sorted({access_key_id for access_key_id, _ in asked})
            try:
                epoch, found, master_key = await self._reader.read(
                    lambda ask, ids=ids: (  # type: ignore[misc]
                        ask.fact(IDENTITY_EPOCH),
                        ask.identities(ids),
                        ask.fact(MASTER_KEY),
                    )
                )
            except Exception as error:  # noqa: BLE001 - it is for those who asked
                for _, future in asked:
                    if not future.done():
                        future.set_exception(error)
            else:
                for access_key_id, future in asked:
                    if not future.done():
                        future.set_result(Looked(epoch, found.get(access_key_id), master_key))


class Identities:
    """A cache of the active keys that have signed requests.

    A commit that changes a key or a user clears the cache before its caller gets the answer: from then on no request
    with a revoked key is admitted. If another server made the change, every read and every batch notices it by the
    identity epoch, and the caller is looked up again before anything is done.
    """

    def __init__(
        self,
        reader: Reader,
        facts: SharedState,
        open_secret: Callable[[AccessKey], str],
        uses: KeyUses | None = None,
        seal_under: Callable[[str | None], object] = bool,
    ) -> None:
        self._facts = facts
        self._open_secret = open_secret
        self._reader = reader
        self._lookups = Lookups(reader)
        self._uses = uses or KeyUses()
        self._seal_under = seal_under
        self._known: dict[str, Identity] = {}
        # Ordered: the first entry of a dict is looked for past all that were deleted before it.
        self._unknown: OrderedDict[str, str | None] = OrderedDict()
        self._epoch = 0

    def committed(self, changes: Changes) -> None:
        """Clear the cache if the commit changed a key or a user. That is rare, so all entries may go."""
        if any(table in changes for table in (ACCESS_KEYS, USERS)):
            self.forget()

    def forget(self) -> None:
        """Clear the cache: another server changed a key or a user."""
        self._epoch += 1
        self._known.clear()
        self._unknown.clear()

    def used(self, caller: Identity, at: Instant) -> None:
        """Take note that the caller's key signed a request."""
        self._uses.used(caller.access_key_id, at)

    def last_used(self, access_key_id: str) -> Instant | None:
        """Return when a key last signed a request here; None: it did not."""
        return self._uses.last(access_key_id)

    def knows(self, caller: Identity) -> bool:
        """Whether the cache still has this very identity, so that no rights have changed since it was looked up."""
        return self._known.get(caller.access_key_id) is caller

    async def confirm(self, caller: Identity) -> None:
        """See that another server has not changed the caller meanwhile, before anything is refused for what it was.

        Raises StaleIdentity where one may have.
        """
        if caller.epoch is not None and (await self._facts.now()).identity_epoch != caller.epoch:
            raise StaleIdentity

    async def find(self, access_key_id: str) -> Identity | None:
        """Return the caller with that key; None if the key does not exist or is disabled."""
        known = self._known.get(access_key_id)
        if known is not None:
            return known
        if not KEY_ID.fullmatch(access_key_id) or await self._is_unknown(access_key_id):
            return None
        epoch = self._epoch
        shared_epoch, found, master_key = await self._lookups.find(access_key_id)
        # Whatever this caller has sealed is under the master key whose turn it was when the caller was looked up.
        self._seal_under(master_key)
        if found is None or found[0].status != "Active":
            if epoch == self._epoch:
                if len(self._unknown) >= UNKNOWN_MAX:
                    self._unknown.popitem(last=False)
                self._unknown[access_key_id] = shared_epoch
            return None
        key, user = found
        identity = Identity(key, user, self._open_secret(key), shared_epoch)
        self._keep(identity, epoch)
        return identity

    async def signed_in(self, user_id: str) -> SignedIn | None:
        """Return a user as a caller at the console; None if the user does not exist or was deleted."""
        known = self._known.get(f"{AT_THE_CONSOLE}{user_id}")
        if isinstance(known, SignedIn):
            return known
        epoch = self._epoch
        shared_epoch, user, master_key = await self._reader.read(
            lambda ask: (ask.fact(IDENTITY_EPOCH), ask.user(user_id), ask.fact(MASTER_KEY))
        )
        self._seal_under(master_key)
        if user is None or user.deleted_at is not None:
            return None
        identity = SignedIn(user, shared_epoch)
        self._keep(identity, epoch)
        return identity

    async def current(self, look_up: Callable[[], Awaitable[C | None]]) -> C | None:
        """Return the caller whom ``look_up`` finds here, as the store has it now; None: there is none.

        Another server may have changed it a moment ago, and then it is looked up again. Raises Overloaded where it
        changes all the time.
        """
        for _ in range(TRIES):
            caller = await look_up()
            if caller is None:
                return None
            try:
                await self.confirm(caller)
            except StaleIdentity:
                self.forget()
            else:
                return caller
        raise Overloaded

    async def again(self, caller: Identity) -> Identity | None:
        """Look up a caller that was found before; None if the key or the user is gone."""
        if isinstance(caller, SignedIn):
            return await self.signed_in(caller.user_id)
        return await self.find(caller.access_key_id)

    def _keep(self, identity: Identity, epoch: int) -> None:
        # A result from before a change must not enter the cache after it.
        if epoch == self._epoch:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[identity.access_key_id] = identity

    async def _is_unknown(self, access_key_id: str) -> bool:
        """Whether the key did not exist when it was looked up, and no key was made since, here or by another server."""
        if access_key_id not in self._unknown:
            return False
        epoch = self._unknown[access_key_id]
        return epoch is None or (await self._facts.now()).identity_epoch == epoch
