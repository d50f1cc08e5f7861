"""Where replicas are to run now, by region and type: what a start asks before it says that nothing will run there."""

from __future__ import annotations

from leasebook.domain.replicas.unrun import RunPlace
from leasebook.domain.values.calendar import Instant
from tests.contract.batches import OnStore, write
from tests.contract.rows import service, unit
from tests.contract.test_store_placements import on


async def test_places_are_those_of_services_that_are_on_and_run_and_of_instances_that_are_up(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [
            service("svco-1", runs=True),
            service("svco-2", runs=True),
            service("counted", runs=False),
            service("off", runs=True, active=False),
            service("deleted", runs=True, deleted_at=Instant(5)),
        ]
        for row in rows:
            await write(store, row)
        up = {"status": "Running", "region": "bj", "type": "gpu-1"}
        everything = on("svco-1", "counted", "off", "deleted")
        await write(
            store,
            unit("unit-1", **up, placements=everything),
            unit("unit-2", **up, placements=on("svco-1", "svco-2")),
            unit("unit-3", **up | {"status": "Creating", "region": "bd"}, placements=on("svco-2")),
            unit("unit-4", **up | {"status": "Stopped", "region": "sz"}, placements=on("svco-2")),
            unit("unit-5", **up | {"status": "Released", "region": "gz"}, placements=on("svco-2")),
            unit("unit-6", **up | {"type": "cpu"}, placements=on("counted")),
        )
        in_bd, in_bj = RunPlace("bd", "gpu-1", 1, 1), RunPlace("bj", "gpu-1", 2, 2)
        assert store.ask(lambda ask: ask.run_places()) == [in_bd, in_bj]
        assert store.ask(lambda ask: ask.run_places("svco-1")) == [RunPlace("bj", "gpu-1", 1, 2)]
        assert store.ask(lambda ask: ask.run_places("off")) == []
