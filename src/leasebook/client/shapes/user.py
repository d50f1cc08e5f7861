"""Shapes of values: user. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class CreatedAccount(Shape, kw_only=True):
    """The account, its root user, and the root's key.

    Only a repeated call with its client token shows the secret again, and not once the key is disabled.
    """

    account_id: str
    """The new account."""
    user_id: str
    """The account's root user."""
    access_key_id: str
    """The id of the key pair, which every signature names."""
    secret_access_key: str | None = None
    """The secret of the key pair. It is never shown again."""


class CreatedUser(Shape, kw_only=True):
    """The new user, who may do nothing yet."""

    user_id: str
    """The user."""
    account_id: str
    """The account that the user belongs to."""


class CreatedAccessKey(Shape, kw_only=True):
    """The key. Only a repeated call with its client token shows the secret again, and not once the key is disabled."""

    user_id: str
    """The user."""
    access_key_id: str
    """The id of the key pair, which every signature names."""
    secret_access_key: str | None = None
    """The secret of the key pair. It is never shown again."""


class ProjectPolicyDetail(Shape, kw_only=True):
    """A policy that a user has for projects, and not for the rest of the account."""

    policy_name: str
    """The policy."""
    project_ids: list[str]
    """The projects; `default` for the default one."""


class KeyDetail(Shape, kw_only=True):
    """An access key, without its secret."""

    access_key_id: str
    """The id of the key pair, which every signature names."""
    status: str
    """Whether the key can be used."""
    requires: list[str]
    """The headers that every signature with this key must cover, besides those required of its user."""
    create_time: datetime
    """When it was made."""
    last_used_time: datetime | None = None
    """When the key last signed a request, up to five minutes late; absent where it never did."""
    name: str | None = None
    """The machine that its user confirmed at the console; absent for keys made in another way."""


class OpenIdDetail(Shape, kw_only=True):
    """Who a user is at an identity provider."""

    issuer: str
    """The identity provider."""
    subject: str
    """The person, as the identity provider names it."""
    policies: list[str]
    """Those of the user's policies that its groups at the identity provider gave at the last sign-in; the others were
    attached by hand.
    """


class UserDetail(Shape, kw_only=True):
    """A user, with policies and access keys."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    user_id: str
    """The user."""
    name: str
    """The name for people."""
    is_root: bool
    """Whether it is the account's root, who may do everything in it."""
    policies: list[str]
    """The policies attached to the user for the whole account; they say which actions it may call."""
    project_policies: list[ProjectPolicyDetail] | None = None
    """The policies attached for projects, by their names; absent: none is."""
    requires: list[str]
    """The headers that every signature with any of the user's keys must cover."""
    access_keys: list[KeyDetail]
    """The user's keys, oldest first, disabled ones included."""
    create_time: datetime
    """When it was made."""
    email: str | None = None
    """The mail address; only managers and operators see it. Absent: none is set."""
    language: str | None = None
    """The language that the user reads; only managers and operators see it. Absent: none is set."""
    deleted_time: datetime | None = None
    """When the user was deleted; absent while the user is not deleted."""
    open_id: OpenIdDetail | None = None
    """Who the user is at the identity provider by which it signs in to the console; only managers and operators see it.
    Absent: no sign-in with an identity provider made the user.
    """


class UserList(Shape, kw_only=True):
    """The account's users, oldest first."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    users: list[UserDetail]
    """The users."""
