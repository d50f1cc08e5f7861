"""Who is calling: access keys, looked up once and forgotten the moment they change."""

from __future__ import annotations

from collections.abc import Callable

from leasehold.domain.account import AccessKey, User
from leasehold.domain.book import KEYS, USERS, Changes
from leasehold.domain.calendar import Instant
from leasehold.domain.identity_log import MASTER_KEY
from leasehold.facts import Facts
from leasehold.questions import IDENTITY_EPOCH, Reader
from leasehold.sequencer import KeyUses, StaleIdentity
from leasehold.wire.action import Action
from leasehold.wire.policies import FULL, OPERATOR
from leasehold.wire.signing import Authorization, signing_key

SIGNING_KEYS_MAX = 64
KNOWN_MAX = 100_000


class Identity:
    """A caller: the key that signs, the user whose it is, and what that user may do.

    It lives in memory only, and holds the secret because every signature is computed with it.
    """

    __slots__ = ("_secret", "_signing_keys", "access_key_id", "account_id", "epoch", "policies", "user_id")

    def __init__(self, key: AccessKey, user: User, secret: str, epoch: str | None) -> None:
        self.access_key_id = key.id
        self.account_id = key.account_id
        self.user_id = user.id
        self.epoch = epoch
        # The root of an account may do everything in it.
        self.policies = frozenset(user.policies) | ({FULL} if user.is_root else frozenset())
        self._secret = secret
        self._signing_keys: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Identity({self.access_key_id})"

    def signing_key(self, auth: Authorization) -> bytes:
        """Return the key for this signature's moment; clients sign many requests within the same second."""
        key = self._signing_keys.get(auth.prefix)
        if key is None:
            if len(self._signing_keys) >= SIGNING_KEYS_MAX:
                self._signing_keys.clear()
            key = self._signing_keys[auth.prefix] = signing_key(self._secret, auth.prefix)
        return key

    @property
    def is_operator(self) -> bool:
        """Whether the caller runs this service, rather than only using it."""
        return OPERATOR in self.policies

    def may(self, action: Action) -> bool:
        """Whether any of the action's policies is the caller's."""
        return not action.policies or not action.policies.isdisjoint(self.policies)


class Identities:
    """The active keys that were seen, each as the store has it now.

    A commit that touches a key or a user throws out what is remembered of them before its caller gets its
    answer: from then on no request gets in with what was revoked. Where another server made the change, every
    read and every batch notices by the epoch, and the caller is looked up again before anything is done.
    """

    def __init__(
        self,
        reader: Reader,
        facts: Facts,
        open_secret: Callable[[AccessKey], str],
        uses: KeyUses | None = None,
        seal_under: Callable[[str | None], object] = bool,
    ) -> None:
        self._reader = reader
        self._facts = facts
        self._open_secret = open_secret
        self._uses = uses or KeyUses()
        self._seal_under = seal_under
        self._known: dict[str, Identity] = {}
        self._epoch = 0

    def committed(self, changes: Changes) -> None:
        """Forget whoever was touched; that is rare, so it is everybody."""
        if any(table in changes for table in (KEYS, USERS)):
            self.forget()

    def forget(self) -> None:
        """Look everybody up again: another server changed a key or a user."""
        self._epoch += 1
        self._known.clear()

    def used(self, caller: Identity, at: Instant) -> None:
        """Take note that the caller's key signed a request."""
        self._uses.used(caller.access_key_id, at)

    def last_used(self, access_key_id: str) -> Instant | None:
        """Return when a key last signed a request here; None: it did not."""
        return self._uses.last(access_key_id)

    def knows(self, caller: Identity) -> bool:
        """Whether that is what the caller was last found to be, and nobody's rights have changed since."""
        return self._known.get(caller.access_key_id) is caller

    async def confirm(self, caller: Identity) -> None:
        """See that another server has not changed the caller meanwhile, before anything is refused for what it was.

        Raises StaleIdentity where one may have.
        """
        if caller.epoch is not None and (await self._facts.now()).identity_epoch != caller.epoch:
            raise StaleIdentity

    async def find(self, access_key_id: str) -> Identity | None:
        """Return the caller with that key; None where there is no such key, or it is disabled."""
        known = self._known.get(access_key_id)
        if known is not None:
            return known
        epoch = self._epoch
        shared_epoch, found, master_key = await self._reader.read(
            lambda ask: (ask.fact(IDENTITY_EPOCH), ask.identity(access_key_id), ask.fact(MASTER_KEY))
        )
        # Whatever this caller has sealed is under the master key whose turn it was when the caller was looked up.
        self._seal_under(master_key)
        if found is None or found[0].status != "Active":
            return None
        key, user = found
        identity = Identity(key, user, self._open_secret(key), shared_epoch)
        # What was read before a change must not be remembered after it.
        if epoch == self._epoch:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[access_key_id] = identity
        return identity
