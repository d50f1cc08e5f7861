"""The tag policy of an account, and the actions that change and show it."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType

from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, read, write
from leasebook.contract.shapes import ACCOUNT_MEANT, Id, Part, Request, Shape, TagKey, TagValue

TagKeys = Annotated[list[TagKey], Meta(max_length=50)]
TagValues = Annotated[list[TagValue], Meta(min_length=1, max_length=100)]
AllowedValues = Annotated[dict[TagKey, TagValues], Meta(max_length=50)]
AllowedValuesChange = Annotated[dict[TagKey, TagValues | None], Meta(max_length=50)]
_REQUIRED: Final = "The keys of the tags that everything needs that is bought or made in the account."
_ALLOWED: Final = "The values that a tag of a key may have; a tag of another key may have any value."


class TagPolicy(Shape, kw_only=True, omit_defaults=False):
    """Which tags are required of everything that is bought or made in an account, and which values they may have.

    A key with allowed values need not be there unless it is required too.
    """

    required: Annotated[TagKeys, Meta(description=_REQUIRED)]
    allowed: Annotated[AllowedValues, Meta(description=_ALLOWED)]


class TagPolicyChange(Part, kw_only=True):
    """Changes of a tag policy: a value sets a field, null clears it, and an absent field keeps its value.

    The same holds for each key of ``allowed``.
    """

    required: Annotated[TagKeys | UnsetType | None, Meta(description=_REQUIRED)] = UNSET
    allowed: Annotated[AllowedValuesChange | UnsetType | None, Meta(description=_ALLOWED)] = UNSET


class SetTagPolicyRequest(Request, kw_only=True):
    """Change the account's tag policy; null for ``policy`` clears it. An operator may name another account.

    Parts that the call does not name stay. With ``replace`` they are cleared.
    """

    policy: Annotated[TagPolicyChange | None, Meta(description="The changes. Null clears the policy.")]
    replace: Annotated[
        bool | None, Meta(description="Whether parts that are not named are cleared; absent or false: they stay.")
    ] = None
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class DescribeTagPolicyRequest(Request, kw_only=True):
    """Ask for the account's tag policy."""

    account_id: Annotated[Id | None, Meta(description=ACCOUNT_MEANT)] = None


class TagPolicyDetail(Shape, kw_only=True):
    """An account's tag policy."""

    account_id: Annotated[str, Meta(description="The account.")]
    policy: Annotated[TagPolicy, Meta(description="Its tag policy; empty lists require nothing.")]


class TagPolicyChanged(Shape, kw_only=True):
    """An account's tag policy before and after the change."""

    account_id: Annotated[str, Meta(description="The account.")]
    before: Annotated[TagPolicy, Meta(description="The policy before the change.")]
    after: Annotated[TagPolicy, Meta(description="The policy after the change.")]


_CHANGE: Final = {"allowed": {"stage": ["test", "live"]}}
_POLICY: Final = {"required": [], "allowed": {"stage": ["live", "test"]}}

TAG_POLICIES: Final = (
    write(
        ACCOUNT,
        "SetTagPolicy",
        "set_tag_policy",
        SetTagPolicyRequest,
        TagPolicyChanged,
        "Say which tags everything needs that is bought or made in an account, and which values tags may have.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"policy": _CHANGE},
        answer={
            "accountId": "00112233445566778899aabbccddeeff",
            "before": {"required": [], "allowed": {}},
            "after": _POLICY,
        },
    ),
    read(
        ACCOUNT,
        "DescribeTagPolicy",
        "describe_tag_policy",
        DescribeTagPolicyRequest,
        TagPolicyDetail,
        "Show which tags an account requires, and which values they may have.",
        across=p.FLEET_READERS,
        example={},
        answer={"accountId": "00112233445566778899aabbccddeeff", "policy": _POLICY},
    ),
)
