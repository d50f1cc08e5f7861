"""Projects in a store: ``check`` names each charge in a project that its instance was not in, and each lost policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.account import ProjectPolicy, User
from leasebook.domain.model.resource.project import Project
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.store.opening import OpenStore, Target, open_store
from leasebook.store.verify.projects import project_findings
from tests.contract.batches import Batch, write
from tests.contract.rows import posting, unit
from tests.simulation.test_histories import fetched

HOUR: Final = 60 * MINUTE_US
MOVED_AT: Final = Instant(10 * MINUTE_US + 5)


@dataclass
class Move(Batch):
    """Moves an instance at a moment."""

    at: Instant = MOVED_AT

    async def save(self, transaction: Any) -> None:
        (after,) = self.rows
        book = Book()
        await transaction.load([(INSTANCES, (after.id,))], book)
        draft = Draft(book)
        draft.put(INSTANCES, after)
        book.take(draft, self.at, None)
        await transaction.save(book.changes())


def used(since: int, minutes: int, project: str | None, name: str = "unit-1") -> Posting:
    """A charge of minutes from ``since`` on."""
    facts: dict[str, Any] = {"minutes": minutes, "count": 2, "price": 1, "since": Instant(since)}
    return posting(5, unit_id=name, at=Instant(HOUR), project_id=project, **facts)


async def found_in(store: OpenStore, *postings: Posting) -> list[str]:
    """Write postings, and say which of them are found, without their numbers."""
    before = fetched(store, lambda fetch: [*project_findings(fetch, 99)])
    await Batch(postings=postings).commit_to(store)
    return [one for one in fetched(store, lambda fetch: [*project_findings(fetch, 99)]) if one not in before]


async def test_check_names_each_charge_in_another_project_than_its_instance_was_in(migrated: Target) -> None:
    store = open_store(migrated)
    try:
        await write(store, unit("unit-1", project_id="prj-1"), unit("unit-2", project_id="prj-1"), unit("unit-3"))
        await Move((unit("unit-1", project_id="prj-2"),)).commit_to(store)
        fits = (
            used(0, 11, "prj-1"),
            used(11 * MINUTE_US, 49, "prj-2"),
            used(10 * MINUTE_US, 1, "prj-2"),
            used(0, 60, "prj-1", "unit-2"),
            used(0, 60, None, "unit-3"),
            posting(5, unit_id="unit-1", kind="Purchase", credit="revenue:prepaid", project_id="prj-1"),
            posting(5, kind="TopUp", debit="funding", credit="wallet:acc-1"),
        )
        assert await found_in(store, *fits) == []
        for wrong in (
            used(0, 12, "prj-1"),
            used(10 * MINUTE_US, 2, "prj-2"),
            used(0, 1, "prj-2"),
            used(0, 1, None),
            used(0, 1, "prj-2", "unit-2"),
            used(0, 1, "prj-1", "unit-3"),
            posting(5, unit_id="unit-1", kind="Purchase", credit="revenue:prepaid", project_id="prj-3"),
            posting(5, kind="TopUp", debit="funding", credit="wallet:acc-1", project_id="prj-1"),
        ):
            assert len(await found_in(store, wrong)) == 1, wrong
    finally:
        await store.close()


async def test_check_names_each_policy_for_a_project_that_the_account_does_not_have(migrated: Target) -> None:
    store = open_store(migrated)
    try:
        for name, account in (("prj-1", "acc-1"), ("prj-2", "acc-2")):
            await write(store, Project(name, account, name, "", "user-1", Instant(1)))
        held = (ProjectPolicy("first", ("default", "prj-1", "prj-2")), ProjectPolicy("second", ("prj-1", "prj-3")))
        for name in ("user-1", "user-2"):
            await write(store, User(name, "acc-1", name, False, (), Instant(1), project_policies=held[: int(name[-1])]))
        await write(store, User("user-3", "acc-1", "user-3", False, (), Instant(1)))
        found = fetched(store, lambda fetch: [*project_findings(fetch, 99)])
        assert [(line.split()[1], line.split()[8].strip(",")) for line in found] == [
            ("user-1", "prj-2"),
            ("user-2", "prj-2"),
            ("user-2", "prj-3"),
        ]
    finally:
        await store.close()
