"""What each operation of the action table does: one function an operation, grouped by noun."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Operation
from leasebook.api.operations import (
    account,
    audit,
    catalogue,
    charge,
    clock,
    engines,
    events,
    explain,
    guard,
    identity,
    models,
    notification,
    reminder,
    replicas,
    service_keys,
    services,
    signatures,
    statement,
    units,
)

OPERATIONS: Final[dict[str, Operation]] = {
    **units.OPERATIONS,
    **services.OPERATIONS,
    **charge.OPERATIONS,
    **account.OPERATIONS,
    **statement.OPERATIONS,
    **events.OPERATIONS,
    **guard.OPERATIONS,
    **catalogue.OPERATIONS,
    **clock.OPERATIONS,
    **identity.OPERATIONS,
    **audit.OPERATIONS,
    **explain.OPERATIONS,
    **reminder.OPERATIONS,
    **notification.OPERATIONS,
    **models.OPERATIONS,
    **service_keys.OPERATIONS,
    **replicas.OPERATIONS,
    **engines.OPERATIONS,
    **signatures.OPERATIONS,
}
