"""Signing in with an identity provider: who the person is here, and which policies the person's groups give."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import KeysOfUser
from leasebook.domain.book.store_queries import KNOWN_PASSWORDS, Asked
from leasebook.domain.book.store_queries import USERS as USERS_MADE
from leasebook.domain.book.tables import ACCOUNTS, PROJECTS, SPENT_SIGN_INS, USERS
from leasebook.domain.commands.account.identity import PROJECTS_MAX, refuse_known_keys, refuse_known_password
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import OpenIdIdentity, ProjectPolicy, User
from leasebook.domain.model.console.sign_in import SpentSignIn
from leasebook.domain.model.resource.project import DEFAULT_PROJECT
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import DENIED, NO_RESOURCE, QUOTA, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


def user_id_of(issuer: str, subject: str) -> str:
    """Return the id of the user whom a provider's issuer and subject name: 32 hexadecimal digits.

    The id follows from the two, so two first sign-ins at once, on any number of servers, make one user. A deleted user
    keeps its row, and so the person cannot come back as another one.
    """
    return sha256(b"leasebook openid user\n%d\n%b\n%b" % (len(issuer), issuer.encode(), subject.encode())).hexdigest()[
        :32
    ]


class SignedIn(msgspec.Struct, frozen=True):
    """The user who signed in. ``is_new``: this sign-in made the user."""

    user_id: str
    account_id: str
    is_new: bool


class SignInByOpenId(Command, frozen=True, kw_only=True):
    """Sign a person in whom an identity provider named. Returns the user.

    The issuer and the subject are the identity; names and mail addresses are not. A first sign-in makes a user without
    any policy. Then, as at every sign-in, ``policies`` replace those that groups gave before: each is a name, or
    ``NAME@PROJECT`` for one project of the account, which gives nothing unless that project is there and open.
    Policies attached by hand stay. ``operators`` are the names of the policies over every account. ``account_id`` is
    the user's account, and for a first sign-in the account that gets the user. ``sign_in_id`` names this sign-in, which
    is completed once on all servers; it would have ended at ``until``, by the machine's clock.
    """

    answer: ClassVar[type] = SignedIn

    account_id: str
    user_id: str
    issuer: str
    subject: str
    name: str
    policies: tuple[str, ...]
    operators: frozenset[str]
    sign_in_id: str
    until: Instant

    def needs(self) -> Needs:
        """The user with all keys, the account, the number of its users, and the record of sign-ins."""
        yield SPENT_SIGN_INS, (self.sign_in_id,)
        yield USERS, (self.user_id,)
        yield KeysOfUser(self.user_id)
        yield Asked(KNOWN_PASSWORDS, self.user_id)
        for grant in self.policies:
            _, at, project_id = grant.partition("@")
            if at and project_id != DEFAULT_PROJECT:
                yield PROJECTS, (project_id,)
        yield from bound_needs(self.account_id, counted(USERS_MADE, self.account_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> SignedIn:
        """Raises Refusal.

        DENIED: the user was deleted, or is another person's or another account's. NO_RESOURCE: the account does
        not exist. QUOTA: it has too many users. WRONG_STATE: a policy over every account would come to keys that others
        know, or to a password that they may know, or the sign-in was completed before.
        """
        if draft.get(SPENT_SIGN_INS, self.sign_in_id) is not None:
            raise Refusal(WRONG_STATE, "This sign-in was completed before. Sign in again.")
        user = draft.get(USERS, self.user_id)
        is_new = user is None
        if user is None:
            user = self._made(draft, rules, now)
        openid = self._identity(user)
        held = (
            *user.policies,
            *(f"{one.policy}@{place}" for one in user.project_policies for place in one.project_ids),
        )
        by_hand = tuple(grant for grant in held if grant not in openid.policies)
        by_groups = tuple(
            grant for grant in dict.fromkeys(self.policies) if grant not in by_hand and self._is_open(draft, grant)
        )
        for grant in by_groups:
            if grant in self.operators and grant not in user.policies:
                refuse_known_keys(draft.keys_of(user.id), grant)
                refuse_known_password(draft, user.id, grant)
        after = msgspec.structs.replace(
            user,
            policies=tuple(grant for grant in (*by_hand, *by_groups) if "@" not in grant),
            project_policies=_for_projects(grant for grant in (*by_hand, *by_groups) if "@" in grant),
            openid=msgspec.structs.replace(openid, policies=by_groups),
        )
        if is_new:
            draft.add(USERS, after)
        elif after != user:
            draft.put(USERS, after)
        draft.put(SPENT_SIGN_INS, SpentSignIn(self.sign_in_id, user.id, self.until, now))
        return SignedIn(user.id, user.account_id, is_new)

    def _is_open(self, draft: Draft, grant: str) -> bool:
        """Whether a policy is for the whole account, or for a project of it that is not closed."""
        _, at, project_id = grant.partition("@")
        if not at or project_id == DEFAULT_PROJECT:
            return True
        project = draft.get(PROJECTS, project_id)
        return project is not None and project.account_id == self.account_id and project.status != "Closed"

    def _made(self, draft: Draft, rules: Rules, now: Instant) -> User:
        """Return the new user, who has no policy."""
        if draft.get(ACCOUNTS, self.account_id) is None:
            raise Refusal(
                NO_RESOURCE,
                f"There is no account {self.account_id[:64]!r}, in which the setting console.openid_account has users "
                "made. An operator corrects the setting.",
            )
        check_bound(draft, rules, USERS_MADE, self.account_id)
        identity = OpenIdIdentity(self.issuer, self.subject)
        return User(self.user_id, self.account_id, self.name, False, (), now, openid=identity)

    def _identity(self, user: User) -> OpenIdIdentity:
        """Return the user's identity at the provider; raises Refusal (DENIED) unless it is this one."""
        openid = user.openid
        if openid is None or (openid.issuer, openid.subject) != (self.issuer, self.subject):
            raise Refusal(DENIED, f"The user {user.id} is another person.")
        if user.account_id != self.account_id:
            raise Refusal(DENIED, f"The user {user.id} belongs to another account. Sign in again.")
        if user.deleted_at is not None:
            raise Refusal(
                DENIED,
                f"The user {user.id} was deleted here, and a deleted user does not come back. A manager of the account "
                "can make another user (CreateUser, /v2/iam).",
            )
        return openid


def _for_projects(grants: Iterable[str]) -> tuple[ProjectPolicy, ...]:
    """Return policies for projects as a user's row has them; raises Refusal (QUOTA) for too many projects."""
    found: dict[str, set[str]] = {}
    for grant in grants:
        policy, _, project_id = grant.partition("@")
        found.setdefault(policy, set()).add(project_id)
    for policy, project_ids in found.items():
        if len(project_ids) > PROJECTS_MAX:
            raise Refusal(
                QUOTA,
                f"The groups of this person and the policies given by hand make {policy} one for {len(project_ids)} "
                f"projects; it can be for at most {PROJECTS_MAX}. An operator changes console.openid_groups.",
            )
    return tuple(ProjectPolicy(policy, tuple(sorted(found[policy]))) for policy in sorted(found))
