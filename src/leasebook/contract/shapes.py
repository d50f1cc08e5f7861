"""Base classes of requests and results, pages, and the value types that several nouns share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
Ids = Annotated[list[Id], Meta(max_length=100)]
ACCOUNTS_MAX: Final = 100
AccountIds = Annotated[list[Id], Meta(min_length=1, max_length=ACCOUNTS_MAX)]
AccountsMeant = Id | AccountIds | None
ACCOUNTS_MEANT: Final = (
    "Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others "
    "takes one of the policies over every account. Rows then say whose they are; of an event its source does."
)
ACCOUNT_MEANT: Final = (
    "Another account, for which it takes one of the policies over every account; the caller's where it is left out."
)
Reason = Annotated[
    str,
    Meta(
        min_length=1, max_length=256, pattern="^[^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*(?!\\n)$"
    ),
]
PositiveCount = Annotated[int, Meta(ge=1, le=100_000)]
TIME: Final = "time"
Time = Annotated[
    str,
    Meta(
        max_length=64,
        description="RFC 3339, or YYYY-MM-DD HH:MM:SS in the service's zone",
        extra={"means": TIME},
    ),
]
# In Python $ also matches before a final line break; (?!\n) excludes that.
Region = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+(?!\\n)$")]
RegionOrAny = Annotated[str, Meta(max_length=32, pattern="^[a-z0-9-]*(?!\\n)$")]
UnitType = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9-]+(?!\\n)$")]
ClientToken = Annotated[str, Meta(max_length=64, pattern="^[\\x21-\\x7e]*(?!\\n)$")]
Text = Annotated[str, Meta(max_length=500, pattern="^[^\\x00]*$")]
Name = Annotated[str, Meta(min_length=2, max_length=64, pattern="^[^\\x00]*$")]
ResourceName = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\x00-\\x1f\\x7f]*$")]
TagKey = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\x00-\\x1f\\x7f]*$")]
TagValue = Annotated[str, Meta(max_length=256, pattern="^[^\\x00-\\x1f\\x7f]*$")]
Tags = Annotated[dict[TagKey, TagValue], Meta(max_length=50)]
TagFilter = Annotated[dict[TagKey, TagValue | None], Meta(max_length=50)]
NAME_GIVEN: Final = "A name for people, for all lists to show; several may have the same."
TAGS_GIVEN: Final = "Tags: keys with values, by which lists are filtered and costs are kept apart."
TAGS_WANTED: Final = "Only with all of these tags; null as a value: with the key, whatever its value."
UnitStatus = Literal[
    "Creating",
    "CreateFailed",
    "Running",
    "Stopped",
    "Releasing",
    "Released",
    "Reconfiguring",
    "ReconfigureFailed",
    "BillingChanging",
]
BREAKS_WANTED: Final = "True: only instances whose tags the account's tag policy would refuse today; of one account."
ENDS_WANTED: Final = (
    "True: only instances that will end by themselves, at a release time or with a term, the first to end first. They "
    "are of one account, on one page, and isTruncated says whether there are more."
)
NAME_WANTED: Final = "Only of this name."
NAMED: Final = "Its name, where it was given one."
TAGGED: Final = "Its tags, where it has some."
USER_NAMED: Final = "The user's name now; missing for a user of another account."
MAKER_NAMED: Final = "The name of the creator now; missing for a user of another account."
UNIT_NAMED: Final = "The instance's name now, where it has one."
PROJECT_GIVEN: Final = "The project that it is to belong to; left out or `default`: the account's default project."
PROJECT_WANTED: Final = "Only of this project; `default` is the default project."
PROJECT_SHOWN: Final = "The project that it belongs to; left out: the account's default project."
Amount = Annotated[Decimal, Meta(description="A decimal amount, at most six places, as a string")]
MAX_AMOUNT: Final = (
    "The most to pay at once, such as the amount of QuoteChange. A request that takes more is refused (InvalidState) "
    "and changes nothing. Left out: no bound."
)
Marker = Annotated[str, Meta(max_length=64, pattern="^[^\\x00]*$")]
LongMarker = Annotated[str, Meta(max_length=256, pattern="^[^\\x00]*$")]
PageSize = Annotated[int, Meta(ge=1, le=2**31)]


class Shape(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A JSON object: lower camel case."""


class Owned(Shape, kw_only=True):
    """A row that says whose it is, if the request names accounts."""

    account_id: Annotated[str | None, Meta(description="Whose it is, where the request names accounts.")] = None
    account_name: Annotated[str | None, Meta(description="The name of that account.")] = None


class Part(Shape, kw_only=True, forbid_unknown_fields=True):
    """A JSON object in the body of a request. The decoder reports an unknown key (decision 21)."""

    is_ours: ClassVar[bool] = False
    """Whether the object is an addition of ours, so that unknown keys in it are refused even in a documented action."""


class Request(Part, kw_only=True):
    """The body of a request. ``clientToken`` makes it idempotent (decision 10); reads ignore it."""

    client_token: Annotated[
        ClientToken | None,
        Meta(description="Makes the request safe to repeat; the same as the query parameter, which goes before it."),
    ] = None


class AcrossRequest(Request, kw_only=True):
    """A read that may be about other accounts."""

    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class Empty(Request, kw_only=True):
    """A request without parameters."""


class PagedRequest(Request, kw_only=True):
    """Ask for one page of a list: it begins after ``marker`` and has at most ``maxKeys`` rows."""

    marker: Annotated[
        LongMarker | None,
        Meta(description="The nextMarker of the page before; in documented lists also the id of its last row."),
    ] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class AcrossPagedRequest(PagedRequest, kw_only=True):
    """A page of a list that may be over other accounts."""

    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class Paged(Shape, kw_only=True):
    """A page of a list. These four fields are left out if the list is complete and no page was asked for."""

    page_info: Annotated[
        PageInfo | None, Meta(description="The same once more, in the form that the documents have.")
    ] = None
    is_truncated: Annotated[bool | None, Meta(description="Whether more rows follow.")] = None
    max_keys: Annotated[
        int | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class PageInfo(Shape, kw_only=True):
    """The facts about a page in the documented form: the same as the fields beside the list."""

    marker: Annotated[str, Meta(description="The marker that was given; empty for the first page.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None
