"""A quote: a price that is kept for some minutes, for one purchase."""

from __future__ import annotations

import msgspec

from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro


class Quote(msgspec.Struct, frozen=True):
    """A price offered to an account: per unit and minute (postpaid) or per unit and month, valid until ``expires_at``.

    ``used_by`` is the instance that was bought with it.
    """

    id: str
    account_id: str
    region: str
    type: str
    count: int
    payment_timing: PaymentTiming
    months: int
    price: Micro
    created_at: Instant
    expires_at: Instant
    used_by: str | None = None
