"""The limits above which a purchase needs an approval."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from leasebook.contract.shapes import Amount, Part

Limit = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[int, Meta(ge=60, le=100 * 366 * 86400)]
UnitsWithoutApproval = Annotated[dict[str, Limit], Meta(max_length=1000)]


class ApprovalLimit(Part, kw_only=True, omit_defaults=True):
    """The limits above which a purchase needs an approval. An absent field means no limit."""

    units: Annotated[
        UnitsWithoutApproval | None,
        Meta(description="How many units of each type one instance has at most; ``*`` means all other types."),
    ] = None
    cost: Annotated[
        Amount | None, Meta(description="How much its term costs at most, or 30 days of it by the minute.")
    ] = None
    release_seconds: Annotated[
        Seconds | None,
        Meta(
            description=(
                "How far ahead the release of a postpaid instance lies at most. One without a release time then "
                "always needs an approval."
            )
        ),
    ] = None
    months: Annotated[
        Annotated[int, Meta(ge=0, le=120)] | None, Meta(description="How many months its term has at most.")
    ] = None
    lapse_seconds: Annotated[
        Seconds | None,
        Meta(description="How long a request waits; where it is absent as long as the operator's setting says."),
    ] = None
    self_approval: Annotated[
        bool | None,
        Meta(description="Whether a manager may approve an own request; absent or false: another one has to."),
    ] = None
