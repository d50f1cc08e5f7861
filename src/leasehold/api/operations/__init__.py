"""What each operation of the action table does: one function an operation, grouped by noun."""

from __future__ import annotations

from typing import Final

from leasehold.api.context import Operation
from leasehold.api.operations import account, catalogue, charge, clock, identity, services, statement, units

OPERATIONS: Final[dict[str, Operation]] = {
    **units.OPERATIONS,
    **services.OPERATIONS,
    **charge.OPERATIONS,
    **account.OPERATIONS,
    **statement.OPERATIONS,
    **catalogue.OPERATIONS,
    **clock.OPERATIONS,
    **identity.OPERATIONS,
}
