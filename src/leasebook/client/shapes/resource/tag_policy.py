"""Shapes of values: tag policy. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from leasebook.client.shape import Shape


class TagPolicy(Shape, kw_only=True):
    """Which tags are required of everything that is bought or made in an account, and which values they may have.

    A key with allowed values need not be there unless it is required too.
    """

    required: list[str]
    """The keys of the tags that everything needs that is bought or made in the account."""
    allowed: dict[str, list[str]]
    """The values that a tag of a key may have; a tag of another key may have any value."""


class TagPolicyChanged(Shape, kw_only=True):
    """An account's tag policy before and after the change."""

    account_id: str
    """The account."""
    before: TagPolicy
    """The policy before the change."""
    after: TagPolicy
    """The policy after the change."""


class TagPolicyDetail(Shape, kw_only=True):
    """An account's tag policy."""

    account_id: str
    """The account."""
    policy: TagPolicy
    """Its tag policy; empty lists require nothing."""


class TagPolicyChange(Shape, kw_only=True):
    """Changes of a tag policy: a value sets a field, null clears it, and an absent field keeps its value.

    The same holds for each key of ``allowed``.
    """

    required: list[str] | UnsetType | None = UNSET
    """The keys of the tags that everything needs that is bought or made in the account."""
    allowed: dict[str, list[str] | None] | UnsetType | None = UNSET
    """The values that a tag of a key may have; a tag of another key may have any value."""
