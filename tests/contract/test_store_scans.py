"""Answers of every store about instances that no index leads to: those that end soon, and those that a user bought."""

from __future__ import annotations

from itertools import product

import pytest

from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.offering import EVERYWHERE, QUOTA
from leasebook.domain.model.resource.project import Project
from leasebook.domain.model.service import Service
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.resource_tags import ResourceTags, Wanted
from leasebook.ports.queries.accounts import UnitCount
from leasebook.ports.queries.read_repository import ReadRepository, UnitFilter
from leasebook.store.queries.account import scans
from tests.contract.batches import OnStore, write
from tests.contract.rows import service, unit

NOW = Instant(100)
ENDING: list[Instance] = [
    unit("unit-a", release_at=Instant(300), created_by="user-2"),
    unit("unit-b", release_at=Instant(200), region="bd", project_id="prj-1"),
    unit("unit-c"),
    unit("unit-d", expires_at=Instant(150), payment_timing="Prepaid", created_by="user-2"),
    unit("unit-e", release_at=Instant(100)),
    unit("unit-f", release_at=Instant(200), type="gpu-2"),
    unit("unit-g", release_at=Instant(160), status="Releasing"),
    unit("unit-h", release_at=Instant(160), status="Released", created_by="user-2"),
    unit("unit-i", expires_at=Instant(170), payment_timing="Prepaid", status="BillingChanging"),
    unit("unit-j", expires_at=Instant(90), payment_timing="Prepaid", status="Stopped"),
    unit("unit-k", release_at=Instant(120), account_id="acc-2"),
    unit("unit-l", release_at=Instant(180), status="Stopped"),
    # When a postpaid instance ended is no end to come.
    unit("unit-m", expires_at=Instant(400), status="CreateFailed"),
    unit("tpm-a", release_at=Instant(190), kind=QUOTA, region=EVERYWHERE, type="ernie"),
]
FIRST_TO_LAST = ["unit-d", "unit-l", "unit-b", "unit-f", "unit-a"]


async def test_coming_ends_are_in_their_order_whatever_the_filter_and_the_limit(
    on_store: OnStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {one.id: place for place, one in enumerate(ENDING)}
    async with on_store() as store:
        for one in ENDING:
            await write(store, one)
        await write(store, ResourceTags("unit-f", "acc-1", "unit", None, {"team": "t1"}))

        def found(wanted: UnitFilter, limit: int = 99) -> list[str]:
            rows = store.ask(lambda ask: ask.coming_ends(wanted, NOW, limit))
            assert [one.row for one in rows] == [ENDING[places[one.row.id]] for one in rows]
            return [one.row.id for one in rows]

        whole = UnitFilter(account_id="acc-1")
        for limit in range(1, 7):
            assert found(whole, limit) == FIRST_TO_LAST[:limit]
        assert found(UnitFilter(account_id="acc-2")) == ["unit-k"]
        # Of the first entries some do not end after all: more of them are read.
        monkeypatch.setattr(scans, "MORE_ENTRIES", 0)
        for limit in range(1, 7):
            assert found(whole, limit) == FIRST_TO_LAST[:limit]
        assert found(UnitFilter(account_id="acc-1", kind=QUOTA)) == ["tpm-a"]
        fields = ("region", "type", "payment_timing", "status", "created_by")
        statuses = (None, "Stopped", "Running", "Released")
        for values in product((None, "bd"), (None, "gpu-2"), (None, "Prepaid"), statuses, (None, "user-2")):
            asked = dict(zip(fields, values, strict=True))
            expected = [
                name
                for name in FIRST_TO_LAST
                if all(value in (None, getattr(ENDING[places[name]], key)) for key, value in asked.items())
            ]
            assert found(UnitFilter(account_id="acc-1", **asked)) == expected, asked  # type: ignore[arg-type]
        assert found(UnitFilter(account_id="acc-1", project_id="prj-1")) == ["unit-b"]
        assert found(UnitFilter(account_id="acc-1", project_id="default")) == [
            one for one in FIRST_TO_LAST if one != "unit-b"
        ]
        assert found(UnitFilter(account_id="acc-1", tags=Wanted((("team", "t1"),)))) == ["unit-f"]


async def test_instances_that_a_user_bought_are_listed_and_paged_beside_every_other_filter(on_store: OnStore) -> None:
    async with on_store() as store:
        for one in ENDING:
            await write(store, one)
        await write(store, ResourceTags("unit-a", "acc-1", "unit", None, {"team": "t1"}))

        def ids(ask: ReadRepository, after: int, limit: int | None, **more: object) -> list[tuple[int, str]]:
            wanted = UnitFilter(account_id="acc-1", created_by="user-2", **more)  # type: ignore[arg-type]
            return [(one.seq, one.row.id) for one in ask.units(wanted, after=after, limit=limit)]

        def named(limit: int | None = 99, after: int = 0, **more: object) -> list[str]:
            return [name for _, name in store.ask(lambda ask: ids(ask, after, limit, **more))]

        assert named() == named(None) == ["unit-a", "unit-d"]
        assert named(1) == ["unit-a"]
        first = store.ask(lambda ask: ids(ask, 0, 1))[0][0]
        assert named(1, first) == ["unit-d"]
        assert named(status="Released") == ["unit-h"]
        assert named(payment_timing="Prepaid") == ["unit-d"]
        assert named(project_id="prj-1") == []
        assert named(tags=Wanted((("team", "t1"),))) == ["unit-a"]


async def test_units_are_counted_by_project_and_type_as_one_counts_them_one_by_one(on_store: OnStore) -> None:
    placed = (Placement("svco-1", 3, 2, False),)
    rows: list[Instance | Service | Project | Account] = [
        *(Account(name, name, "UTC", Micro(0), Instant(0)) for name in ("acc-1", "acc-2")),
        *(Project(name, "acc-1", name, "", "user-1", Instant(1)) for name in ("prj-1", "prj-2")),
        Project("prj-3", "acc-2", "prj-3", "", "user-1", Instant(1)),
        service("svco-1", resource_type="GPU-1-2", replicas=3, deploying=3, project_id="prj-1"),
        service("svco-2", resource_type="GPU-1-2", deleted_at=Instant(2), replicas=7),
        *ENDING,
        unit("unit-n", region="bd", payment_timing="Prepaid", expires_at=Instant(900), count=5),
        unit("unit-o", status="Reconfiguring", target_count=9, type="gpu-2", project_id="prj-1"),
        unit("unit-p", status="Reconfiguring", target_count=1, type="gpu-2", project_id="prj-2"),
        unit("unit-q", count=8, project_id="prj-1", placements=placed),
        unit("unit-r", count=8, project_id="prj-1", placements=placed, status="Creating"),
        unit("unit-s", count=8, project_id="prj-1", placements=placed, status="Stopped"),
        unit("unit-t", status="CreateFailed", project_id="prj-2", type="gpu-3"),
        unit("unit-u", account_id="acc-2", project_id="prj-3"),
        unit("tpm-b", kind=QUOTA, region=EVERYWHERE, type="ernie", project_id="prj-2"),
    ]
    async with on_store() as store:
        for one in rows:
            await write(store, one)
        assert store.ask(lambda ask: ask.units_by_project("acc-1")) == [
            UnitCount(None, "gpu-1", 9, 21, 0),
            UnitCount(None, "gpu-2", 1, 2, 0),
            UnitCount("prj-1", "gpu-1", 4, 26, 12),
            UnitCount("prj-1", "gpu-2", 1, 9, 0),
            UnitCount("prj-2", "gpu-2", 1, 2, 0),
        ]
        assert store.ask(lambda ask: ask.units_by_project("acc-2")) == [
            UnitCount(None, "gpu-1", 1, 2, 0),
            UnitCount("prj-3", "gpu-1", 1, 2, 0),
        ]
        assert store.ask(lambda ask: ask.units_by_project("acc-3")) == []
