"""An instance: a number of units of one offering, held by an account until it is released."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypedDict

import msgspec

from leasebook.domain.model.offering import UNITS_OF_COMPUTE, OfferingKind
from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.domain.values.money import Micro

InstanceStatus = Literal[
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
"""The documented statuses, and Leasebook's own: Stopped (replicas are down, the units stay reserved; decision 14)."""

EndReason = Literal["User", "Schedule", "Expiry", "Arrears"]

FIRST_TRY_US: Final = 7 * DAY_US
"""How long before the end of a term the automatic renewal is tried first, in microseconds (decision 13)."""

GONE: Final[frozenset[InstanceStatus]] = frozenset({"Released", "CreateFailed"})
"""In these statuses an instance reserves no units."""
UP: Final[frozenset[InstanceStatus]] = frozenset({"Running", "Reconfiguring", "ReconfigureFailed", "BillingChanging"})
"""In these statuses the instance is usable: it is metered or its term runs, and replicas run on it."""
ENDABLE: Final[frozenset[InstanceStatus]] = UP | {"Creating", "Stopped"}


class Move(NamedTuple):
    """A change of status, and its cause. ``start`` is None for a new instance."""

    start: InstanceStatus | None
    end: InstanceStatus
    cause: str


MOVES: Final = (
    Move(None, "Creating", "PurchaseComputeUnit, PurchaseTPMResource, or CreateService with billing"),
    Move("Creating", "Running", "the engine has the capacity; the term or the meter starts"),
    Move("Creating", "CreateFailed", "the engine cannot provide it; money and stock are given back"),
    Move("Creating", "Releasing", "ReleaseComputeUnit, or its release time came"),
    Move("Running", "Reconfiguring", "ResizeComputeUnit or ResizeTPMResource"),
    Move("ReconfigureFailed", "Reconfiguring", "ResizeComputeUnit or ResizeTPMResource, tried again"),
    Move("Reconfiguring", "Running", "the engine has the new size"),
    Move("Reconfiguring", "ReconfigureFailed", "the engine cannot resize it; it runs on as it was"),
    Move("Running", "BillingChanging", "ChangeBilling to Postpaid, which a prepaid instance becomes at its expiry"),
    Move(
        "BillingChanging",
        "Running",
        "the term ended and it is postpaid now, or it was renewed or the change was cancelled",
    ),
    *(
        move
        for up in ("Running", "Reconfiguring", "ReconfigureFailed", "BillingChanging")
        for move in (
            Move(up, "Stopped", "its term ended, or its account was in arrears for longer than the grace"),
            Move(up, "Releasing", "ReleaseComputeUnit or ReleaseTPMResource, or its release time came"),
        )
        if (up, move.end) != ("BillingChanging", "Releasing")
    ),
    Move("Stopped", "Running", "RenewComputeUnit (prepaid), or the debt was paid (postpaid)"),
    Move("Stopped", "Releasing", "its retention ended, ReleaseComputeUnit, or its release time came"),
    Move("Releasing", "Released", "the engine says that nothing is left; the units are free again"),
)
"""Every permitted change of status. An attempt at any other is a programming error."""
LEGAL: Final = frozenset((move.start, move.end) for move in MOVES)


class Placement(NamedTuple):
    """Replicas of one service on an instance. Each replica takes ``units_each`` of the instance's units.

    ``runs``: the model repository has the service's model, so an engine runs the replicas. Otherwise they are only
    counted.
    """

    service_id: str
    replicas: int
    units_each: int
    runs: bool = False


class Instance(msgspec.Struct, frozen=True, gc=False):
    """One purchase of ``count`` units is one instance (decision 7).

    Times are instants; None where the event has not happened or never will. During a resize ``target_count`` is the new
    number of units, and ``resize_paid`` is the amount paid for it.

    A postpaid instance is metered from ``meter_from`` on. ``metered_minutes`` of the time since then are charged, the
    last of them for ``metered_peak`` units, and ``charge_at`` is when the next hour is charged. ``sized_at`` is when
    its number of units last changed since then. ``price_number`` is the number of changes of the offering's price per
    minute before the meter started (None: not counted, for meters of older versions). ``quoted_count`` of the units
    cost ``quoted_price`` a minute until the next price change after number ``quoted_number``. A stopped instance keeps
    all of these: the minute in which it stopped is paid for.

    A prepaid instance is paid from ``term_from`` to ``expires_at``, which is ``term_months`` calendar months after
    ``term_anchor``; the anchor is the first day of the term unless a renewal moved it to another day. ``stop_at`` is
    when it stops unless the account pays its debt, ``retire_at`` when a stopped one is released. ``extensions`` counts
    how often its release was moved to a later time. ``generation`` counts how often an engine was asked to run a
    replica on it; with 0 no engine has anything of it.

    ``remind_at`` is when the account is next reminded of the instance's release or expiry. ``remind_before_us`` lists
    how long before the deadline this reminder and the later ones are due, in microseconds. ``reminded_at`` is when the
    last reminder that was given was due (``reminder.py``).

    ``project_id`` is the project that it belongs to; None: the account's default project.
    """

    id: str
    account_id: str
    created_by: str
    order_id: str
    service_id: str | None
    region: str
    type: str
    count: int
    payment_timing: PaymentTiming
    status: InstanceStatus
    created_at: Instant
    kind: OfferingKind = UNITS_OF_COMPUTE
    target_count: int | None = None
    resize_paid: Micro = Micro(0)
    placements: tuple[Placement, ...] = ()
    term_months: int = 0
    term_from: Instant | None = None
    term_anchor: Instant | None = None
    auto_renew: bool = False
    auto_renew_months: int = 1
    renew_at: Instant | None = None
    started_at: Instant | None = None
    meter_from: Instant | None = None
    metered_minutes: int = 0
    metered_peak: int = 0
    sized_at: Instant | None = None
    price_number: int | None = None
    quoted_price: Micro | None = None
    quoted_count: int = 0
    quoted_number: int = 0
    release_at: Instant | None = None
    charge_at: Instant | None = None
    expires_at: Instant | None = None
    stop_at: Instant | None = None
    resume_at: Instant | None = None
    retire_at: Instant | None = None
    charged: Micro = Micro(0)
    ended_at: Instant | None = None
    end_reason: EndReason | None = None
    released_at: Instant | None = None
    extensions: int = 0
    generation: int = 0
    failure: str | None = None
    remind_at: Instant | None = None
    remind_before_us: tuple[int, ...] = ()
    reminded_at: Instant | None = None
    project_id: str | None = None

    @property
    def offering(self) -> tuple[str, str]:
        """(region, type)."""
        return self.region, self.type

    @property
    def end_at(self) -> Instant | None:
        """When it ends by itself: at its release time, or with its term; None: never, or it has ended.

        With BillingChanging only its term ends, and it goes on.
        """
        if self.status in ("CreateFailed", "Releasing", "Released", "BillingChanging"):
            return None
        return self.expires_at if self.payment_timing == "Prepaid" else self.release_at

    @property
    def reserved(self) -> int:
        """How many units it reserves."""
        return 0 if self.status in GONE else max(self.count, self.target_count or 0)

    @property
    def used(self) -> int:
        """How many of its units are taken by replicas."""
        # Most have no replicas, and long lists ask each.
        return sum(placed.replicas * placed.units_each for placed in self.placements) if self.placements else 0

    @property
    def replicas(self) -> int:
        """How many replicas are on it, of all services together."""
        return sum(placed.replicas for placed in self.placements)

    @property
    def is_halted(self) -> bool:
        """Whether it is suspended: postpaid, and stopped until its account has paid its debt."""
        return self.status == "Stopped" and self.payment_timing == "Postpaid"

    @property
    def waits_for_money(self) -> bool:
        """Whether a deposit lets it continue: it is suspended, or its automatic renewal waits for money."""
        return self.is_halted or self.awaits_renewal

    @property
    def awaits_renewal(self) -> bool:
        """Whether its automatic renewal lacked money and is tried again when the balance allows (decision 30)."""
        if not self.auto_renew or self.payment_timing != "Prepaid" or self.expires_at is None:
            return False
        if self.status == "Stopped":
            return True
        return self.status in UP and self.renew_at is not None and self.expires_at - self.renew_at < FIRST_TRY_US

    def replicas_of(self, service_id: str) -> int:
        """Return how many replicas of that service are on it."""
        return next((placed.replicas for placed in self.placements if placed.service_id == service_id), 0)

    def serves(self, service_id: str) -> bool:
        """Whether it was bought for that service, or has replicas of that service."""
        return service_id == self.service_id or self.replicas_of(service_id) > 0


class InstanceChanges(TypedDict, total=False):
    """The fields of ``Instance`` that rules may change, with their types, so that mypy finds wrong names and values.

    The owner, the offering and the purchase never change.
    """

    count: int
    payment_timing: PaymentTiming
    status: InstanceStatus
    target_count: int | None
    resize_paid: Micro
    placements: tuple[Placement, ...]
    term_months: int
    term_from: Instant | None
    term_anchor: Instant | None
    auto_renew: bool
    auto_renew_months: int
    renew_at: Instant | None
    started_at: Instant | None
    meter_from: Instant | None
    metered_minutes: int
    metered_peak: int
    sized_at: Instant | None
    price_number: int | None
    quoted_price: Micro | None
    quoted_count: int
    quoted_number: int
    release_at: Instant | None
    charge_at: Instant | None
    expires_at: Instant | None
    stop_at: Instant | None
    resume_at: Instant | None
    retire_at: Instant | None
    charged: Micro
    ended_at: Instant | None
    end_reason: EndReason | None
    released_at: Instant | None
    extensions: int
    generation: int
    failure: str | None
    remind_at: Instant | None
    remind_before_us: tuple[int, ...]
    reminded_at: Instant | None
    project_id: str | None
