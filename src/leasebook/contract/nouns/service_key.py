"""What requests and results look like, for keys with which services are called."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.instance import Id, Request, Shape

AppName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
OrphanReason = Literal["MakerGone", "MakerMayNot", "MakerHasNoKey"]
KeyStatus = Literal["Active", "Deleted"]


class CreateServiceKeyRequest(Request, kw_only=True):
    """Make a key for calling the account's services; with ``serviceId``, that one only."""

    name: AppName
    service_id: Id | None = None


class CreatedServiceKey(Shape, kw_only=True):
    """The new key. Only a repeated call with its client token shows it again."""

    key_id: str
    key: str | None = None
    name: str
    service_id: str | None = None


class DescribeServiceKeysRequest(Request, kw_only=True):
    """List the account's keys, a page at a time."""

    marker: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None
    service_id: Id | None = None
    status: KeyStatus | None = None


class ServiceKeyDetail(Shape, kw_only=True):
    """A key, as far as it is kept. ``orphanReason`` stands there where nobody answers for it any more."""

    key_id: str
    name: str
    service_id: str | None = None
    status: KeyStatus
    creator: str
    create_time: str
    orphan_reason: OrphanReason | None = None


class ServiceKeyPage(Shape, kw_only=True):
    """A page of keys. ``nextMarker`` stands there while more follow."""

    key_list: list[ServiceKeyDetail]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class DeleteServiceKeyRequest(Request, kw_only=True):
    """Make a key useless from now on."""

    key_id: Id
