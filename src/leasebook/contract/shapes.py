"""What requests and results of every noun are made of: their base, pages, and values that many nouns have."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
Ids = Annotated[list[Id], Meta(max_length=100)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
TIME: Final = "time"
Time = Annotated[
    str,
    Meta(
        max_length=64,
        description="RFC 3339, or YYYY-MM-DD HH:MM:SS in the service's zone",
        extra={"means": TIME},
    ),
]
# To Python $ also stands before a last line break, which these forbid.
Region = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+(?!\\n)$")]
RegionOrAny = Annotated[str, Meta(max_length=32, pattern="^[a-z0-9-]*(?!\\n)$")]
UnitType = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+(?!\\n)$")]
ClientToken = Annotated[str, Meta(max_length=64, pattern="^[\\x21-\\x7e]*(?!\\n)$")]
Text = Annotated[str, Meta(max_length=500, pattern="^[^\\x00]*$")]
Name = Annotated[str, Meta(min_length=2, max_length=20, pattern="^[^\\x00]*$")]
Amount = Annotated[Decimal, Meta(description="A decimal amount, at most six places, as a string")]
Marker = Annotated[str, Meta(max_length=64)]
LongMarker = Annotated[str, Meta(max_length=256)]
PageSize = Annotated[int, Meta(ge=1, le=2**31)]


class Shape(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A JSON object: lower camel case."""


class Part(Shape, kw_only=True, forbid_unknown_fields=True):
    """A JSON object in the body of a request. A key that is not known is told apart at once (decision 21)."""

    is_ours: ClassVar[bool] = False
    """Whether no document knows the object, so that its keys are ours also in the body of a documented action."""


class Request(Part, kw_only=True):
    """The body of a request. ``clientToken`` makes it idempotent (decision 10); reads ignore it."""

    client_token: Annotated[
        ClientToken | None,
        Meta(description="Makes the request safe to repeat; the same as the query parameter, which goes before it."),
    ] = None


class Empty(Request, kw_only=True):
    """A request without parameters."""


class PagedRequest(Request, kw_only=True):
    """Ask for a page: after a marker, of so many rows."""

    marker: Annotated[LongMarker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class Paged(Shape, kw_only=True):
    """A page. What says so stands there where a page was asked for, or more rows follow."""

    is_truncated: Annotated[bool | None, Meta(description="Whether more rows follow.")] = None
    max_keys: Annotated[
        int | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None
