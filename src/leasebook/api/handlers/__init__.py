"""What each operation of the action table does: one function an operation, grouped by noun."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Operation
from leasebook.api.handlers import (
    account,
    catalogue,
    charge,
    clock,
    events,
    explain,
    models,
    replicas,
    service_keys,
    services,
    signatures,
    statement,
)
from leasebook.api.handlers import audit_log as audit
from leasebook.api.handlers import engine_capacity as engines
from leasebook.api.handlers import identities as identity
from leasebook.api.handlers import instances as units
from leasebook.api.handlers import limits as guard
from leasebook.api.handlers import reminders as reminder
from leasebook.api.handlers import subscriptions as notification

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
