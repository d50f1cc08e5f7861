"""Which events of other accounts a user may see, by the policies over every account that the user holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from leasebook.contract.policies import BILLING_READERS, FLEET_READERS, OPERATOR, SUPPORTERS
from leasebook.domain.record.event import ARREARS, BUDGET_CROSSED, RECOVERED, Event
from leasebook.domain.record.identity_event import IAM_TYPES

IAM: Final = frozenset(IAM_TYPES)
OF_MONEY: Final = frozenset({ARREARS, RECOVERED, BUDGET_CROSSED})
"""Types whose data have a balance or a budget."""
BALANCE: Final = "balance"
"""The field with a balance in data of other types: those of a closed account."""


def hidden_across(policies: Iterable[str]) -> frozenset[str] | None:
    """Return the types of events of other accounts that a user may not see; None: the user may see none at all."""
    held = frozenset(policies)
    if held.isdisjoint(FLEET_READERS):
        return None
    hidden = frozenset() if OPERATOR in held else IAM
    return hidden if not held.isdisjoint(BILLING_READERS) else hidden | OF_MONEY


def hidden_from_subscriber(policies: Iterable[str]) -> frozenset[str] | None:
    """Return the types that a subscription of a user over other accounts leaves out; None: there may be none.

    Where a subscription sends events to is a write, so a policy that only reads is not enough.
    """
    held = frozenset(policies)
    return None if held.isdisjoint(SUPPORTERS) else hidden_across(held)


def without_money(event: Event) -> Event:
    """Return an event without the balance in its data, for those who may not see money."""
    if BALANCE not in event.data:
        return event
    return msgspec.structs.replace(event, data={name: at for name, at in event.data.items() if name != BALANCE})
