"""Double entry: every posting moves an amount from one ledger account to another, so none can be unbalanced."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro, checked

PostingKind = Literal["TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund", "PayOut", "WriteOff"]

FUNDING: Final = "funding"
"""The source of money from outside: the counterpart of every top-up, and of a balance that is paid out at the end."""
WRITTEN_OFF: Final = "loss:written-off"
"""The debts of closed accounts that will not be paid."""
SETTLEMENTS: Final[frozenset[PostingKind]] = frozenset({"PayOut", "WriteOff"})
"""The kinds that bring the balance of an account to zero when it is closed. They charge nothing and pay nothing in."""
PREPAID_REVENUE: Final = "revenue:prepaid"
USAGE_REVENUE: Final = "revenue:usage"


def wallet(account_id: str) -> str:
    """Name the ledger account that holds an account's balance."""
    return f"wallet:{account_id}"


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One movement: ``amount`` leaves ``debit`` and arrives at ``credit``.

    It pays for ``count`` units. Usage is metered: ``minutes`` from ``since`` on, each at ``price`` a unit. A term is
    paid in advance: from ``since`` until ``until``, at ``price`` a unit and month. ``project_id`` is the project that
    the instance belonged to for that time (None: the default project, or no instance).

    A posting has one positive amount and two different ends, so an unbalanced posting cannot be constructed: the
    constructor raises ValueError.
    """

    account_id: str
    at: Instant
    kind: PostingKind
    debit: str
    credit: str
    amount: Micro
    order_id: str | None = None
    unit_id: str | None = None
    minutes: int | None = None
    count: int | None = None
    price: Micro | None = None
    since: Instant | None = None
    until: Instant | None = None
    project_id: str | None = None

    def __post_init__(self) -> None:
        if checked(self.amount) <= 0 or self.debit == self.credit:
            raise ValueError(f"a posting moves a positive amount between two ledger accounts: {self}")

    def effect_on(self, ledger_account: str) -> int:
        """Return the change that the posting makes to the balance of a ledger account, in micro-units."""
        return self.amount * ((self.credit == ledger_account) - (self.debit == ledger_account))


OrderKind = Literal["Purchase", "Renewal", "Resize", "Conversion"]
PaymentTiming = Literal["Prepaid", "Postpaid"]


class Order(msgspec.Struct, frozen=True, gc=False):
    """A purchase or a change of an instance to ``count`` units, and the amount paid at once (postpaid: zero)."""

    id: str
    account_id: str
    kind: OrderKind
    unit_id: str
    payment_timing: PaymentTiming
    region: str
    type: str
    count: int
    months: int
    amount: Micro
    created_at: Instant
    created_by: str
