"""The steps of a history. They name units, services, quotes and packages by how long ago these came up."""

from __future__ import annotations

from typing import Literal, NamedTuple

Who = Literal["owner", "stranger", "mistaken"]
"""Who asks about an instance: its owner, another caller, or its owner, who takes it for another kind of thing."""


class Buy(NamedTuple):
    account: int
    region: str | None
    unit_type: str
    number: int
    months: int  # 0: postpaid
    lead: int | None
    renew: int = 0  # months of the auto-renew rule; 0: none


class Quoted(NamedTuple):
    """Ask what ``buy`` would cost, and have the price held or not."""

    buy: Buy
    keep: bool


class BuyQuoted(NamedTuple):
    """Buy by a quote: just that; or without naming the region; or one more; or as another caller."""

    quote: int
    how: Literal["same", "anywhere", "more", "stranger"]


class Serve(NamedTuple):
    account: int
    region: str | None
    resource_type: str
    replicas: int  # 0: buys nothing
    months: int
    lead: int | None
    renew: int = 0


class Scale(NamedTuple):
    """Buy the units for more replicas."""

    service: int
    replicas: int
    months: int
    lead: int | None
    renew: int = 0


class Deploy(NamedTuple):
    """Create a service on instances, as the owner of the first of them."""

    units: tuple[int, ...]
    replicas: int
    each: int


class PlaceReplicas(NamedTuple):
    service: int
    unit: int
    replicas: int


class Modify(NamedTuple):
    service: int


class Switch(NamedTuple):
    service: int
    active: bool


class Delete(NamedTuple):
    service: int


class Schedule(NamedTuple):
    unit: int
    lead: int | None
    who: Who = "owner"


class Drop(NamedTuple):
    unit: int
    who: Who = "owner"


class Resize(NamedTuple):
    unit: int
    number: int
    who: Who = "owner"


class Renew(NamedTuple):
    unit: int
    months: int
    day: int | None
    who: Who = "owner"


class AutoRenew(NamedTuple):
    unit: int
    months: int | None  # None: not any more
    who: Who = "owner"


class SwitchBilling(NamedTuple):
    """Change how it is paid."""

    unit: int
    months: int  # 0: to postpaid
    renew: int = 0
    who: Who = "owner"


class ReportCalls(NamedTuple):
    """Count calls of some seconds ago, or ahead."""

    service: int
    app: str
    ago: int
    tokens: int
    package: int | None


class Grant(NamedTuple):
    account: int
    specification: int
    lead: int
    start: int | None = None


class Fund(NamedTuple):
    account: int
    amount: int


class Offer(NamedTuple):
    region: str
    unit_type: str
    per_minute: int | None
    per_month: int | None
    stock: int | None


class Report(NamedTuple):
    """The engine reports on an instance, on the first and last few where none is named: done, or it cannot be."""

    unit: int | None = None
    failed: bool = False


class Again(NamedTuple):
    """An earlier request once more, under the same token where it had one; or other parameters under it."""

    back: int
    changed: bool


OnUnit = Schedule | Drop | Resize | Renew | AutoRenew | SwitchBilling
OnService = Scale | PlaceReplicas | Modify | Switch | Delete | ReportCalls
What = Buy | Quoted | BuyQuoted | Serve | Deploy | OnService | OnUnit | Grant | Fund | Offer


class Ask(NamedTuple):
    what: What
    token: bool = False


class Wait(NamedTuple):
    seconds: int


Step = Ask | Again | Report | Wait
