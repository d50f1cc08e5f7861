"""An account: it owns instances, and its balance pays for them."""

from __future__ import annotations

from typing import Literal

import msgspec

from leasebook.domain.model.resource.project import public_project
from leasebook.domain.record.signature import Requirement
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.tag_policy import TagPolicy

AccountStatus = Literal["Active", "Suspended", "Closed"]


class Account(msgspec.Struct, frozen=True):
    """An account. Two accounts may have the same name.

    ``balance`` is the sum of the account's postings, in micro-units of the currency. Only metered use can make it
    negative. ``arrears_since`` is the instant at which it last became negative, and None while it is not negative.
    ``remind_before_us`` lists how long before a release or an expiry the account is reminded, in microseconds, longest
    first. A change of this list applies to an instance from the next time that its deadline is set.
    ``status_reason`` is the operator's reason for the suspension, and empty for an account that is not suspended. A
    Closed account stays closed: nothing lives in it, its balance is zero, and its books can be read. ``tag_policy`` is
    None while nothing is required of tags; it is never an empty policy.
    """

    id: str
    name: str
    time_zone: str
    balance: Micro
    created_at: Instant
    arrears_since: Instant | None = None
    remind_before_us: tuple[int, ...] = ()
    status: AccountStatus = "Active"
    status_reason: str = ""
    tag_policy: TagPolicy | None = None


Language = Literal["en", "zh-CN"]


class ProjectPolicy(msgspec.Struct, frozen=True):
    """A policy that a user has for some projects of the account, by their public ids, and not for the rest of it."""

    policy: str
    project_ids: tuple[str, ...]


class OpenIdIdentity(msgspec.Struct, frozen=True):
    """A person at an identity provider: the provider's issuer, and the subject by which it knows the person.

    ``policies`` are those of the user's policies that the person's groups gave at the last sign-in. The others were
    attached by hand.
    """

    issuer: str
    subject: str
    policies: tuple[str, ...] = ()


class User(msgspec.Struct, frozen=True):
    """A person or a program that signs requests for an account. ``requires`` lists what every signature must cover.

    The row of a deleted user stays, because orders, events and the audit log name it; ``deleted_at`` is None while the
    user is not deleted. ``email`` and ``language`` are None where they are not set. ``policies`` are those for the
    whole account, ``project_policies`` those for projects of it, in the order of their names and one for each name.
    ``openid`` is None for users whom no sign-in with an identity provider made.
    """

    id: str
    account_id: str
    name: str
    is_root: bool
    policies: tuple[str, ...]
    created_at: Instant
    requires: tuple[Requirement, ...] = ()
    email: str | None = None
    language: Language | None = None
    deleted_at: Instant | None = None
    project_policies: tuple[ProjectPolicy, ...] = ()
    openid: OpenIdIdentity | None = None


def holds_for(user: User, project_id: str | None, policies: frozenset[str]) -> bool:
    """Whether a user has one of some policies for the whole account, or for the project that a row has."""
    if not policies.isdisjoint(user.policies):
        return True
    public = public_project(project_id)
    return any(one.policy in policies and public in one.project_ids for one in user.project_policies)


KeyStatus = Literal["Active", "Disabled"]


class AccessKey(msgspec.Struct, frozen=True):
    """A key pair that signs requests. The secret is sealed under the master key; the domain never sees it.

    ``requires`` lists what signatures with this key must cover, in addition to the user's own list.
    ``from_environment`` marks a key that is, or once was, the root key given in the server's environment.
    ``by_operator`` marks a key whose secret no other user was shown: an operator made it, or its own user got it by
    confirming a login on a device. ``name`` is that device's; it is empty for other keys.
    """

    id: str
    user_id: str
    account_id: str
    sealed: bytes
    status: KeyStatus
    created_at: Instant
    requires: tuple[Requirement, ...] = ()
    from_environment: bool = False
    by_operator: bool = False
    name: str = ""
