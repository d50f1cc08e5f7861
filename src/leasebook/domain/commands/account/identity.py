"""Accounts, users, their keys and what they may do."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import KeysOfUser
from leasebook.domain.book.store_queries import KEYS as KEYS_MADE
from leasebook.domain.book.store_queries import USER_KEYS as USER_KEYS_MADE
from leasebook.domain.book.store_queries import USERS as USERS_MADE
from leasebook.domain.book.tables import ACCESS_KEYS, ACCOUNTS, USERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import ZERO
from leasebook.domain.values.refusal import DENIED, NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

# ``operators`` is the policy that makes a user an operator, wherever a command below has it.


class NewKey(msgspec.Struct, frozen=True):
    """A key pair made at the rim: the secret is sealed already."""

    id: str
    sealed: bytes


class AccountMade(msgspec.Struct, frozen=True):
    """A new account, its root user and the root's first key."""

    account_id: str
    user_id: str
    key_id: str


class KeyMade(msgspec.Struct, frozen=True):
    """A new key, and whose it is."""

    key_id: str
    user_id: str


# Answers are kept for client tokens, so they say nothing of a secret, not even sealed: nothing there is sealed anew
# when one master key takes the place of another.


class CreateAccount(Command, frozen=True, kw_only=True):
    """Open an account with a root user and the root's first key. Answers what was made."""

    answer: ClassVar[type] = AccountMade

    account_id: str
    user_id: str
    name: str
    time_zone: str | None
    key: NewKey
    policies: tuple[str, ...] = ()
    from_environment: bool = False
    """Whether the key is the one that the environment gives."""

    def needs(self) -> Needs:
        """The new rows, to see that they are new."""
        yield ACCOUNTS, (self.account_id,)
        yield USERS, (self.user_id,)
        yield ACCESS_KEYS, (self.key.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> AccountMade:
        """Raises Refusal where the key id is taken."""
        _refuse_taken(draft, self.key.id)
        account = Account(
            self.account_id,
            self.name,
            self.time_zone or rules.time_zone,
            ZERO,
            now,
            remind_before_us=rules.remind_before_us,
        )
        draft.put(ACCOUNTS, account)
        draft.put(USERS, User(self.user_id, account.id, "root", True, self.policies, now))
        key = AccessKey(
            self.key.id,
            self.user_id,
            account.id,
            self.key.sealed,
            "Active",
            now,
            from_environment=self.from_environment,
        )
        draft.put(ACCESS_KEYS, key)
        return AccountMade(account.id, self.user_id, key.id)


class CreateUser(Command, frozen=True, kw_only=True):
    """Add a user, without any permission yet, to an account. Answers the user."""

    answer: ClassVar[type] = User

    account_id: str
    user_id: str
    name: str

    def needs(self) -> Needs:
        """The account, the new row, and how many users there are."""
        yield USERS, (self.user_id,)
        yield from bound_needs(self.account_id, counted(USERS_MADE, self.account_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> User:
        """Raises Refusal where there is no such account."""
        if draft.get(ACCOUNTS, self.account_id) is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        check_bound(draft, rules, USERS_MADE, self.account_id)
        user = User(self.user_id, self.account_id, self.name, False, (), now)
        draft.put(USERS, user)
        return user


class CreateAccessKey(Command, frozen=True, kw_only=True):
    """Give a user another key pair. Answers which key it is."""

    answer: ClassVar[type] = KeyMade

    account_id: str
    user_id: str
    key: NewKey
    by_operator: bool
    operators: str

    def needs(self) -> Needs:
        """The user, the new key, and how many there are."""
        yield USERS, (self.user_id,)
        yield ACCESS_KEYS, (self.key.id,)
        yield from bound_needs(
            self.account_id, counted(KEYS_MADE, self.account_id), counted(USER_KEYS_MADE, self.user_id)
        )

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> KeyMade:
        """Raises Refusal where the account has no such user or only an operator may, or the user has enough keys."""
        user = own_user(draft, self.account_id, self.user_id)
        if not self.by_operator:
            refuse_operator(user, self.operators, "userId")
        _refuse_taken(draft, self.key.id)
        check_bound(draft, rules, USER_KEYS_MADE, user.id)
        check_bound(draft, rules, KEYS_MADE, user.account_id)
        draft.put(ACCESS_KEYS, AccessKey(self.key.id, user.id, user.account_id, self.key.sealed, "Active", now))
        return KeyMade(self.key.id, user.id)


class RootKeyTaken(msgspec.Struct, frozen=True):
    """What became of a root key of the environment.

    ``active``: it can be used. ``replaced`` are the keys that the environment gave before, and that are disabled now.
    """

    active: bool
    replaced: tuple[str, ...] = ()


class TakeRootKey(Command, frozen=True, kw_only=True):
    """Let the key that the environment gives be the root's, in place of those that it gave before.

    A key that somebody disabled, or that another one replaced, stays disabled, and then nothing is replaced. With
    ``is_known`` the secret is the one that the key has already.
    """

    answer: ClassVar[type] = RootKeyTaken

    user_id: str
    key: NewKey
    is_known: bool

    def needs(self) -> Needs:
        """The user with all keys, and the key."""
        yield USERS, (self.user_id,)
        yield ACCESS_KEYS, (self.key.id,)
        yield KeysOfUser(self.user_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> RootKeyTaken:  # noqa: ARG002
        """Raises Refusal where the key is another user's."""
        user = draft.require(USERS, self.user_id)
        key = draft.get(ACCESS_KEYS, self.key.id)
        if key is not None and key.user_id != user.id:
            raise Refusal(WRONG_STATE, f"The access key id {key.id!r} is taken.", field="accessKeyId")
        if key is not None and key.status != "Active":
            return RootKeyTaken(active=False)
        made = key or AccessKey(self.key.id, user.id, user.account_id, self.key.sealed, "Active", now)
        sealed = made.sealed if self.is_known else self.key.sealed
        draft.put(ACCESS_KEYS, msgspec.structs.replace(made, sealed=sealed, from_environment=True))
        replaced = [
            one
            for one in draft.keys_of(user.id)
            if one.from_environment and one.status == "Active" and one.id != made.id
        ]
        for one in replaced:
            draft.put(ACCESS_KEYS, msgspec.structs.replace(one, status="Disabled"))
        return RootKeyTaken(active=True, replaced=tuple(one.id for one in replaced))


class DisableAccessKey(Command, frozen=True, kw_only=True):
    """Make a key useless from the next request on."""

    answer: ClassVar[type] = bool

    account_id: str
    access_key_id: str
    user_id: str
    signed_with: str
    by_operator: bool
    operators: str

    def needs(self) -> Needs:
        """The key, and the user whom the caller found it to belong to."""
        yield ACCESS_KEYS, (self.access_key_id,)
        yield USERS, (self.user_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal where the account has no such key or only an operator may, or it signs this request."""
        key = draft.get(ACCESS_KEYS, self.access_key_id)
        if key is None or key.account_id != self.account_id:
            raise Refusal(
                NO_RESOURCE,
                f"The account has no access key {self.access_key_id[:64]!r}.",
                field="accessKeyId",
            )
        if key.id == self.signed_with:
            raise Refusal(
                WRONG_STATE,
                "This request is signed with the key that it would disable. Sign it with another one, "
                "so that nobody locks themselves out.",
                field="accessKeyId",
            )
        if not self.by_operator:
            refuse_operator(own_user(draft, self.account_id, key.user_id), self.operators, "accessKeyId")
        draft.put(ACCESS_KEYS, msgspec.structs.replace(key, status="Disabled"))
        return True


class ChangePolicies(Command, frozen=True, kw_only=True):
    """Attach a policy to a user, or detach it."""

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    policy: str
    attach: bool
    by_operator: bool
    operators: str

    def needs(self) -> Needs:
        """The user."""
        yield USERS, (self.user_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal where the account has no such user, or the policy is for an operator to give."""
        user = own_user(draft, self.account_id, self.user_id)
        if self.policy == self.operators and not self.by_operator:
            raise Refusal(DENIED, f"Only an operator gives or takes {self.policy}.", field="policyName")
        others = tuple(name for name in user.policies if name != self.policy)
        policies = (*others, self.policy) if self.attach else others
        draft.put(USERS, msgspec.structs.replace(user, policies=policies))
        return True


def own_user(draft: Draft, account_id: str, user_id: str) -> User:
    """Return the account's user; raises Refusal."""
    user = draft.get(USERS, user_id)
    if user is None or user.account_id != account_id:
        raise Refusal(
            NO_RESOURCE,
            f"The account has no user {user_id[:64]!r}. DescribeUsers (/v2/iam) lists them.",
            field="userId",
        )
    return user


def refuse_operator(user: User, operators: str, field: str) -> None:
    """Who manages users neither becomes an operator by a new key of one, nor locks the operators out."""
    if operators in user.policies:
        raise Refusal(
            DENIED, f"The user holds {operators}: only an operator makes or disables their keys.", field=field
        )


def _refuse_taken(draft: Draft, key_id: str) -> None:
    if draft.get(ACCESS_KEYS, key_id) is not None:
        raise Refusal(WRONG_STATE, f"The access key id {key_id!r} is taken.", field="accessKeyId")
