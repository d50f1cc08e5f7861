"""The handlers of the action table: one function for each operation, in a folder for each kind of noun."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Operation
from leasebook.api.handlers.account import (
    accounts,
    approvals,
    audit_log,
    cost_exports,
    costs,
    events,
    funds,
    identities,
    limits,
    reminders,
    signatures,
    statement,
    subscriptions,
    users,
)
from leasebook.api.handlers.instance import charge, counts, explain, instances, quotes
from leasebook.api.handlers.resource import projects, tag_policy, tags
from leasebook.api.handlers.service import log_stores, models, replicas, service_calls, service_keys, services
from leasebook.api.handlers.store import catalogue, clock, engine_capacity, faults

OPERATIONS: Final[dict[str, Operation]] = {
    **instances.OPERATIONS,
    **counts.OPERATIONS,
    **quotes.OPERATIONS,
    **services.OPERATIONS,
    **service_calls.OPERATIONS,
    **charge.OPERATIONS,
    **accounts.OPERATIONS,
    **funds.OPERATIONS,
    **statement.OPERATIONS,
    **cost_exports.OPERATIONS,
    **events.OPERATIONS,
    **limits.OPERATIONS,
    **catalogue.OPERATIONS,
    **clock.OPERATIONS,
    **identities.OPERATIONS,
    **users.OPERATIONS,
    **audit_log.OPERATIONS,
    **explain.OPERATIONS,
    **reminders.OPERATIONS,
    **subscriptions.OPERATIONS,
    **models.OPERATIONS,
    **service_keys.OPERATIONS,
    **replicas.OPERATIONS,
    **log_stores.OPERATIONS,
    **engine_capacity.OPERATIONS,
    **signatures.OPERATIONS,
    **tags.OPERATIONS,
    **approvals.OPERATIONS,
    **tag_policy.OPERATIONS,
    **costs.OPERATIONS,
    **projects.OPERATIONS,
    **faults.OPERATIONS,
}
