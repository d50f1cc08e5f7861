"""The rows that a command sees whose caller has its policy for some projects of the account, and not for all of it.

``Draft.get`` asks here, so a rule finds a row of another project as little as one that does not exist, and gives the
same refusal. A table that is in neither set below is hidden as a whole: so is each table that is added later, until it
is entered here on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leasebook.domain.book.tables import (
    ACCOUNT_LIMITS,
    ACCOUNTS,
    APPROVALS,
    ENGINE_CAPACITIES,
    FORMER_TAGS,
    INSTANCES,
    METADATA,
    MODEL_SETS,
    MODELS,
    NOTICE_RATES,
    OFFERINGS,
    PRICES,
    PROJECTS,
    RESOURCE_TAGS,
    SERVICE_KEYS,
    SERVICES,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    Key,
    Table,
)
from leasebook.domain.model.resource.project import public_project

Projects = frozenset[str]
"""Public ids of projects."""

IN_PROJECTS: Final[frozenset[Table[Any]]] = frozenset({INSTANCES, SERVICES, TOKEN_PACKAGES})
"""The rows with a project."""
OF_SERVICES: Final[frozenset[Table[Any]]] = frozenset({SERVICE_KEYS})
"""The rows of a service, in whose project they are; those of no single service are in none."""
Services = Mapping[Key, Any]
"""The services that a batch has loaded, by key; None: there is none."""
_OF_ALL: Final[frozenset[Table[Any]]] = frozenset(
    {
        # Rules need these rows to decide, and show none of them. The keys of tags are the ids of what has them.
        *(ACCOUNTS, ACCOUNT_LIMITS, OFFERINGS, PRICES, MODEL_SETS, MODELS, ENGINE_CAPACITIES, METADATA),
        *(RESOURCE_TAGS, FORMER_TAGS, NOTICE_RATES),
    }
)
_CHANGED: Final = {ACCOUNTS, ACCOUNT_LIMITS, OFFERINGS, MODELS, RESOURCE_TAGS, FORMER_TAGS, APPROVALS, NOTICE_RATES}


def is_seen(table: Table[Any], row: Any, within: Projects, services: Services) -> bool:
    """Whether a caller with a policy for those projects sees a row."""
    if table in IN_PROJECTS or table in OF_SERVICES:
        return _is_in(table, row, within, services)
    if table is SUBSCRIPTIONS:
        return is_confined(row, within)
    return row.id in within if table is PROJECTS else table in _OF_ALL


def may_change(table: Table[Any], row: Any, within: Projects, services: Services) -> bool:
    """Whether a command for a caller with a policy for those projects may write a row."""
    if table in IN_PROJECTS or table in OF_SERVICES:
        return _is_in(table, row, within, services)
    return is_confined(row, within) if table is SUBSCRIPTIONS else table in _CHANGED


def is_confined(hook: Any, within: Projects) -> bool:
    """Whether a subscription is for those projects alone."""
    return bool(hook.projects) and within.issuperset(hook.projects)


def _is_in(table: Table[Any], row: Any, within: Projects, services: Services) -> bool:
    """Whether a row is in one of the projects; one whose service is not loaded is in none."""
    if table in IN_PROJECTS:
        return public_project(row.project_id) in within
    service = services.get((row.service_id,))
    if service is None or service.account_id != row.account_id:
        return False
    return public_project(service.project_id) in within
