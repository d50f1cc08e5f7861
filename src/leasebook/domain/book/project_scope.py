"""The rows that a command sees whose caller has its policy for some projects of the account, and not for all of it.

``Draft.get`` asks here, so a rule finds a row of another project as little as one that does not exist, and gives the
same refusal. A table that is in neither set below is hidden as a whole: so is each table that is added later, until it
is entered here on purpose.
"""

from __future__ import annotations

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
    OFFERINGS,
    PRICES,
    PROJECTS,
    RESOURCE_TAGS,
    SERVICES,
    TOKEN_PACKAGES,
    Table,
)
from leasebook.domain.model.resource.project import public_project

Projects = frozenset[str]
"""Public ids of projects."""

IN_PROJECTS: Final[frozenset[Table[Any]]] = frozenset({INSTANCES, SERVICES, TOKEN_PACKAGES})
"""The rows with a project."""
_OF_ALL: Final[frozenset[Table[Any]]] = frozenset(
    {
        # Rules need these rows to decide, and show none of them. The keys of tags are the ids of what has them.
        *(ACCOUNTS, ACCOUNT_LIMITS, OFFERINGS, PRICES, MODEL_SETS, MODELS, ENGINE_CAPACITIES, METADATA),
        *(RESOURCE_TAGS, FORMER_TAGS),
    }
)
_CHANGED: Final = IN_PROJECTS | {ACCOUNTS, ACCOUNT_LIMITS, OFFERINGS, MODELS, RESOURCE_TAGS, FORMER_TAGS, APPROVALS}


def is_seen(table: Table[Any], row: Any, within: Projects) -> bool:
    """Whether a caller with a policy for those projects sees a row."""
    if table in IN_PROJECTS:
        return public_project(row.project_id) in within
    return row.id in within if table is PROJECTS else table in _OF_ALL


def may_change(table: Table[Any], row: Any, within: Projects) -> bool:
    """Whether a command for a caller with a policy for those projects may write a row."""
    return table in _CHANGED and (table not in IN_PROJECTS or public_project(row.project_id) in within)
