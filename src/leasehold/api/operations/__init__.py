"""What each operation of the action table does: one function an operation, grouped by noun."""

from __future__ import annotations

from typing import Final

from leasehold.api.context import Operation
from leasehold.api.operations import account, catalogue, clock, identity, services, units

OPERATIONS: Final[dict[str, Operation]] = {
    **units.OPERATIONS,
    **services.OPERATIONS,
    **account.OPERATIONS,
    **catalogue.OPERATIONS,
    **clock.OPERATIONS,
    **identity.OPERATIONS,
}
