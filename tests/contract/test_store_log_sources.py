"""The question of the sender of lines, on every store: which replicas are its own, of services with a log store."""

from __future__ import annotations

from leasebook.domain.model.lease import Lease
from leasebook.domain.model.service import LogStore
from leasebook.domain.values.calendar import Instant
from tests.contract.batches import OnStore, write
from tests.contract.rows import service, unit
from tests.reconciler.scene import replica

ATTACHED = LogStore(None, "default", "lines", "user-1", Instant(1))


async def test_replicas_are_those_of_services_with_a_log_store_on_instances_with_a_lease(on_store: OnStore) -> None:
    async with on_store() as store:
        services = [
            service("svco-1", log_store=ATTACHED),
            service("svco-2", log_store=ATTACHED),
            service("plain"),
            service("deleted", log_store=ATTACHED, deleted_at=Instant(5)),
        ]
        for row in services:
            await write(store, row)
        await write(store, unit("unit-1"), unit("unit-2"), unit("unit-3"))
        await write(store, Lease("unit-1", "mine", "node-1", 1), Lease("unit-2", "yours", "node-1", 1))
        rows = [
            replica("Ready", 1, service_id="svco-1", unit_id="unit-1"),
            replica("Failed", 0, service_id="svco-1", unit_id="unit-1"),
            replica("Gone", 2, service_id="svco-1", unit_id="unit-1"),
            replica("Ready", 0, service_id="plain", unit_id="unit-1"),
            replica("Ready", 0, service_id="deleted", unit_id="unit-1"),
            replica("Ready", 0, service_id="svco-2", unit_id="unit-2"),
            replica("Ready", 0, service_id="svco-2", unit_id="unit-3"),
        ]
        await write(store, *rows)
        found = store.ask(lambda ask: ask.log_sources("mine", ()))
        assert [(row.service_id, row.number) for row in found.replicas] == [("svco-1", 0), ("svco-1", 1)]
        assert found.services == {"svco-1": services[0]}
        found = store.ask(lambda ask: ask.log_sources("yours", ("svco-1", "plain", "deleted", "unknown")))
        assert found.replicas == [rows[5]]
        assert found.services == {"svco-1": services[0], "svco-2": services[1]}
        none = store.ask(lambda ask: ask.log_sources("nobody", ()))
        assert (none.replicas, none.services) == ([], {})
