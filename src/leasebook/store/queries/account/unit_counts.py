"""How many units an account has by project and type, in SQL for both stores."""

from __future__ import annotations

from typing import Final

from leasebook.domain.model.offering import EVERYWHERE, UNITS_OF_COMPUTE
from leasebook.domain.model.service import shape_of
from leasebook.ports.queries.accounts import UnitCount
from leasebook.store.queries.audit_log import Fetch
from leasebook.store.rows.conditions import UNUSUAL
from leasebook.store.rows.postings import OF_ACCOUNT

RESERVED: Final = "count(*), sum(CASE WHEN target_count > count THEN target_count ELSE count END)"
# The index of live instances has all of it, in this order. It lacks the kind, but quota is in a region of its own.
_ALL: Final = (
    f"SELECT type, {RESERVED} FROM units WHERE {OF_ACCOUNT} AND status <> 'Released' AND region <> '{EVERYWHERE}' "
    "GROUP BY region, type"
)
_IN_PROJECTS: Final = (
    f"SELECT u.project_id, u.type, {RESERVED} FROM projects p JOIN units u ON u.project_id = p.id "
    f"WHERE p.account_id = ? AND u.project_id IS NOT NULL AND u.kind = '{UNITS_OF_COMPUTE}' "
    "AND u.status <> 'Released' GROUP BY u.project_id, u.type"
)
# A failed purchase reserves nothing; its instance is among the few that do not run.
_FAILED: Final = (
    f"SELECT project_id, type, {RESERVED} FROM units WHERE account_id = ? AND {UNUSUAL} AND status = 'CreateFailed' "
    f"AND kind = '{UNITS_OF_COMPUTE}' GROUP BY project_id, type"
)
# All instances of a service are in its project and of its type, and each of its replicas takes as many units.
_USED: Final = (
    "SELECT project_id, resource_type, sum(replicas + deploying) FROM services "
    "WHERE account_id = ? AND deleted_at IS NULL GROUP BY project_id, resource_type"
)


class UnitCountQueries:
    """The counts of an account's units, on one connection."""

    _fetch: Fetch

    def units_by_project(self, account_id: str) -> list[UnitCount]:
        """Return how many units of compute an account has, by project and then by type."""
        found: dict[tuple[str | None, str], UnitCount] = {}

        def add(project_id: str | None, kind: str, instances: int = 0, units: int = 0, used: int = 0) -> None:
            before = found.get((project_id, kind), UnitCount(project_id, kind))
            found[project_id, kind] = before.plus(instances=instances, units=units, used=used)

        for kind, instances, units in self._fetch(_ALL, [account_id]):
            add(None, kind, int(instances), int(units))
        for project_id, kind, instances, units in self._fetch(_IN_PROJECTS, [account_id]):
            add(project_id, kind, int(instances), int(units))
            add(None, kind, -int(instances), -int(units))
        for project_id, kind, instances, units in self._fetch(_FAILED, [account_id]):
            add(project_id, kind, -int(instances), -int(units))
        for project_id, resource_type, replicas in self._fetch(_USED, [account_id]):
            shape = shape_of(resource_type)
            if replicas:
                add(project_id, shape.unit_type, used=int(replicas) * shape.units_per_replica)
        return sorted(
            (one for one in found.values() if one.instances), key=lambda one: (one.project_id or "", one.type)
        )
