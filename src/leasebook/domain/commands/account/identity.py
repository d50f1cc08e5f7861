"""Commands on accounts, users, access keys and policies."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import KeysOfUser
from leasebook.domain.book.store_queries import KEYS as KEYS_MADE
from leasebook.domain.book.store_queries import KNOWN_PASSWORDS, Asked
from leasebook.domain.book.store_queries import USER_KEYS as USER_KEYS_MADE
from leasebook.domain.book.store_queries import USERS as USERS_MADE
from leasebook.domain.book.tables import ACCESS_KEYS, ACCOUNTS, PROJECTS, USERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import AccessKey, Account, OpenIdIdentity, ProjectPolicy, User
from leasebook.domain.model.resource.project import DEFAULT_PROJECT
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.rules.ownership import own_project
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import ZERO
from leasebook.domain.values.refusal import BAD_VALUE, DENIED, NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

PROJECTS_MAX: Final = 100
"""Upper bound of the projects that a user has one policy for; all of them are in the user's row."""
KEYS_NAMED_MAX: Final = 10
"""Keys that a message names."""

# In the commands below, ``operators`` are the names of the policies over every account, which only operators give.


class NewKey(msgspec.Struct, frozen=True):
    """A new key pair, made outside the domain; the secret is sealed already."""

    id: str
    sealed: bytes


class AccountMade(msgspec.Struct, frozen=True):
    """A new account, its root user and the root's first key."""

    account_id: str
    user_id: str
    key_id: str


class KeyMade(msgspec.Struct, frozen=True):
    """A new key, and its user."""

    key_id: str
    user_id: str


# Answers are kept for client tokens, and a change of the master key does not seal them again. So they contain no
# secret, not even a sealed one.


class CreateAccount(Command, frozen=True, kw_only=True):
    """Open an account with a root user and the root's first key. Returns their ids."""

    answer: ClassVar[type] = AccountMade

    account_id: str
    user_id: str
    name: str
    time_zone: str | None
    key: NewKey
    policies: tuple[str, ...] = ()
    from_environment: bool = False
    """Whether the key is the root key given in the server's environment."""

    def needs(self) -> Needs:
        """The new rows, to make sure that they do not exist yet."""
        yield ACCOUNTS, (self.account_id,)
        yield USERS, (self.user_id,)
        yield ACCESS_KEYS, (self.key.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> AccountMade:
        """Raises Refusal (WRONG_STATE) if the key id that the environment gives is taken."""
        if self.from_environment:
            _refuse_taken(draft, self.key.id)
        account = Account(
            self.account_id,
            self.name,
            self.time_zone or rules.time_zone,
            ZERO,
            now,
            remind_before_us=rules.remind_before_us,
        )
        draft.add(ACCOUNTS, account)
        draft.add(USERS, User(self.user_id, account.id, "root", True, self.policies, now))
        key = AccessKey(
            self.key.id,
            self.user_id,
            account.id,
            self.key.sealed,
            "Active",
            now,
            from_environment=self.from_environment,
            by_operator=True,
        )
        draft.add(ACCESS_KEYS, key)
        return AccountMade(account.id, self.user_id, key.id)


class CreateUser(Command, frozen=True, kw_only=True):
    """Add a user without any permission to an account. Returns the user."""

    answer: ClassVar[type] = User

    account_id: str
    user_id: str
    name: str

    def needs(self) -> Needs:
        """The account, the new row, and the number of users."""
        yield USERS, (self.user_id,)
        yield from bound_needs(self.account_id, counted(USERS_MADE, self.account_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> User:
        """Raises Refusal if the account does not exist (NO_RESOURCE) or has too many users (QUOTA)."""
        if draft.get(ACCOUNTS, self.account_id) is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        check_bound(draft, rules, USERS_MADE, self.account_id)
        user = User(self.user_id, self.account_id, self.name, False, (), now)
        draft.add(USERS, user)
        return user


class CreateAccessKey(Command, frozen=True, kw_only=True):
    """Give a user another key pair. Returns the key's id."""

    answer: ClassVar[type] = KeyMade

    account_id: str
    user_id: str
    key: NewKey
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The user, the new key, and the numbers of keys."""
        yield USERS, (self.user_id,)
        yield ACCESS_KEYS, (self.key.id,)
        yield from bound_needs(
            self.account_id, counted(KEYS_MADE, self.account_id), counted(USER_KEYS_MADE, self.user_id)
        )

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> KeyMade:
        """Raises Refusal: unknown user, operator needed, or too many keys."""
        user = own_user(draft, self.account_id, self.user_id)
        if not self.by_operator:
            refuse_operator(user, self.operators, "userId")
        check_bound(draft, rules, USER_KEYS_MADE, user.id)
        check_bound(draft, rules, KEYS_MADE, user.account_id)
        key = AccessKey(
            self.key.id, user.id, user.account_id, self.key.sealed, "Active", now, by_operator=self.by_operator
        )
        draft.add(ACCESS_KEYS, key)
        return KeyMade(self.key.id, user.id)


class RootKeyTaken(msgspec.Struct, frozen=True):
    """The result of taking a root key from the environment.

    ``active``: the key can be used. ``replaced`` are the environment's former keys, which are disabled now.
    """

    active: bool
    replaced: tuple[str, ...] = ()


class TakeRootKey(Command, frozen=True, kw_only=True):
    """Make the key in the server's environment the root's key, in place of the environment's former keys.

    A key that was disabled, or replaced by another, stays disabled, and then no key is replaced. With ``is_known`` the
    key keeps the secret that it has.
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
        """Raises Refusal (WRONG_STATE) if the key belongs to another user."""
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
    """Disable a key: the next request signed with it is refused."""

    answer: ClassVar[type] = bool

    account_id: str
    access_key_id: str
    user_id: str
    signed_with: str
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The key, and the user that the caller found as its owner."""
        yield ACCESS_KEYS, (self.access_key_id,)
        yield USERS, (self.user_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown key, operator needed, or the key signs this request."""
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


class EnableAccessKey(Command, frozen=True, kw_only=True):
    """Enable a disabled key again, with the secret that it had. Returns True, also for a key that is active."""

    answer: ClassVar[type] = bool

    account_id: str
    access_key_id: str
    user_id: str
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The key, the user that the caller found as its owner, and the numbers of keys."""
        yield ACCESS_KEYS, (self.access_key_id,)
        yield USERS, (self.user_id,)
        yield from bound_needs(
            self.account_id, counted(KEYS_MADE, self.account_id), counted(USER_KEYS_MADE, self.user_id)
        )

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown key, deleted user, operator needed, the environment's key, or too many keys."""
        key = draft.get(ACCESS_KEYS, self.access_key_id)
        if key is None or key.account_id != self.account_id or key.user_id != self.user_id:
            raise Refusal(
                NO_RESOURCE,
                f"The account has no access key {self.access_key_id[:64]!r}. DescribeUsers (/v2/iam) lists them.",
                field="accessKeyId",
            )
        user = own_user(draft, self.account_id, key.user_id, field="accessKeyId")
        if not self.by_operator:
            refuse_operator(user, self.operators, "accessKeyId")
        if key.status == "Active":
            return True
        if not _is_operators(key) and (held := _house_policy(user, self.operators)) is not None:
            raise Refusal(
                WRONG_STATE,
                f"The user holds {held}, and this key was made by another than an operator, who knows its secret. "
                "Make another key (CreateAccessKey, /v2/iam).",
                field="accessKeyId",
            )
        if key.from_environment:
            raise Refusal(
                WRONG_STATE,
                "This key was a root key in the server's environment, and such a key stays disabled. Make another key "
                "(CreateAccessKey, /v2/iam), or give the server another key in LEASEBOOK_ROOT_ACCESS_KEY.",
                field="accessKeyId",
            )
        check_bound(draft, rules, USER_KEYS_MADE, user.id)
        check_bound(draft, rules, KEYS_MADE, user.account_id)
        draft.put(ACCESS_KEYS, msgspec.structs.replace(key, status="Active"))
        return True


class ChangePolicies(Command, frozen=True, kw_only=True):
    """Attach a policy to a user, or detach it: for the whole account, or for the projects with these public ids.

    ``for_projects`` are the policies that can be attached for projects. A policy for the account and the same one for
    projects are attached and detached each by itself. A policy that groups of an identity provider gave is one given by
    hand once it is attached by hand. Detached, it is gone until the next sign-in of a user whose groups give it.
    """

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    policy: str
    attach: bool
    by_operator: bool
    operators: frozenset[str]
    project_ids: tuple[str, ...] | None = None
    for_projects: frozenset[str] = frozenset()

    def needs(self) -> Needs:
        """The user and the projects; with a policy over every account also all of the user's keys."""
        for project_id in self.project_ids or ():
            if project_id != DEFAULT_PROJECT:
                yield PROJECTS, (project_id,)
        yield USERS, (self.user_id,)
        if self.attach and self.policy in self.operators:
            yield KeysOfUser(self.user_id)
            yield Asked(KNOWN_PASSWORDS, self.user_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown user, a policy that only operators attach and detach, or a key that others know.

        Also for an unknown or closed project, and for a policy that is not for projects.
        """
        user = own_user(draft, self.account_id, self.user_id)
        if self.project_ids is not None:
            grants = {f"{self.policy}@{project_id}" for project_id in self.project_ids}
            draft.put(
                USERS,
                msgspec.structs.replace(
                    user, project_policies=self._for_projects(draft, user), openid=_without(user.openid, grants)
                ),
            )
            return True
        if self.policy in self.operators and not self.by_operator:
            raise Refusal(DENIED, f"Only an operator gives or takes {self.policy}.", field="policyName")
        if self.attach and self.policy in self.operators and self.policy not in user.policies:
            refuse_known_keys(draft.keys_of(user.id), self.policy)
            refuse_known_password(draft, user.id, self.policy)
        others = tuple(name for name in user.policies if name != self.policy)
        policies = (*others, self.policy) if self.attach else others
        openid = _without(user.openid, {self.policy})
        draft.put(USERS, msgspec.structs.replace(user, policies=policies, openid=openid))
        return True

    def _for_projects(self, draft: Draft, user: User) -> tuple[ProjectPolicy, ...]:
        """Return the user's policies for projects after it. A policy that is not attached can be detached."""
        if self.policy not in self.for_projects:
            raise Refusal(
                BAD_VALUE,
                f"{self.policy} is for a whole account. These can be attached for projects: "
                f"{', '.join(sorted(self.for_projects))}.",
                field="policyName",
            )
        asked = self.project_ids or ()
        if self.attach:
            for project_id in asked:
                if project_id != DEFAULT_PROJECT:
                    own_project(draft, self.account_id, project_id, field="projectIds")
        held = {one.policy: one.project_ids for one in user.project_policies}
        before = held.pop(self.policy, ())
        after = {*before, *asked} if self.attach else {*before} - {*asked}
        if len(after) > PROJECTS_MAX:
            raise Refusal(
                BAD_VALUE,
                f"The user would have {self.policy} for {len(after)} projects; it can be for at most {PROJECTS_MAX}. "
                "Attach it for the whole account (without projectIds), or to several users.",
                field="projectIds",
            )
        if after:
            held[self.policy] = tuple(sorted(after))
        return tuple(ProjectPolicy(policy, held[policy]) for policy in sorted(held))


def _without(openid: OpenIdIdentity | None, grants: set[str]) -> OpenIdIdentity | None:
    """Return a user's identity at its provider, as one to whom groups did not give these policies."""
    if openid is None or grants.isdisjoint(openid.policies):
        return openid
    kept = tuple(grant for grant in openid.policies if grant not in grants)
    return msgspec.structs.replace(openid, policies=kept)


def own_user(draft: Draft, account_id: str, user_id: str, *, field: str = "userId") -> User:
    """Return the account's user; raises Refusal (NO_RESOURCE), also for a deleted user. ``field`` named the user."""
    user = draft.get(USERS, user_id)
    if user is None or user.account_id != account_id:
        raise Refusal(
            NO_RESOURCE,
            f"The account has no user {user_id[:64]!r}. DescribeUsers (/v2/iam) lists them.",
            field=field,
        )
    if user.deleted_at is not None:
        raise Refusal(
            NO_RESOURCE,
            f"The user {user_id[:64]!r} is deleted, and a deleted user does not come back. Make another one "
            "(CreateUser, /v2/iam).",
            field=field,
        )
    return user


def refuse_operator(user: User, operators: frozenset[str], field: str) -> None:
    """Raise Refusal (DENIED) for a user who holds a policy over every account.

    Otherwise a manager of users could get its rights by a new key of that user, or disable the operators' keys.
    """
    held = _house_policy(user, operators)
    if held is not None:
        raise Refusal(DENIED, f"The user holds {held}: only an operator changes this user or its keys.", field=field)


def _house_policy(user: User, operators: frozenset[str]) -> str | None:
    """Return a policy over every account that a user holds; None if it holds none."""
    return next((name for name in user.policies if name in operators), None)


def _is_operators(key: AccessKey) -> bool:
    return key.by_operator or key.from_environment


def refuse_known_keys(keys: list[AccessKey], policy: str) -> None:
    """Raise Refusal (WRONG_STATE) if an active key was made by another than an operator: its maker knows the secret."""
    known = [key.id for key in keys if key.status == "Active" and not _is_operators(key)]
    if not known:
        return
    more = f" and {len(known) - KEYS_NAMED_MAX} more" if len(known) > KEYS_NAMED_MAX else ""
    raise Refusal(
        WRONG_STATE,
        f"{policy} is over every account, and others know the secrets of these keys of the user, because no operator "
        f"made them: {', '.join(known[:KEYS_NAMED_MAX])}{more}. Disable them (DisableAccessKey, /v2/iam), attach the "
        "policy, and make the user a key as an operator (CreateAccessKey).",
        field="userId",
    )


def refuse_known_password(draft: Draft, user_id: str, policy: str) -> None:
    """Raise Refusal (WRONG_STATE) if the user has a password that no operator set: a manager may know it."""
    if draft.book.answers.count(KNOWN_PASSWORDS, user_id):
        raise Refusal(
            WRONG_STATE,
            f"{policy} is over every account, and others may know the password with which the user signs in to the "
            "console, because no operator set it. Set the user another one as an operator (/console/account?user=ID), "
            "and attach the policy.",
            field="userId",
        )


def _refuse_taken(draft: Draft, key_id: str) -> None:
    if draft.get(ACCESS_KEYS, key_id) is not None:
        raise Refusal(WRONG_STATE, f"The access key id {key_id!r} is taken.", field="accessKeyId")
