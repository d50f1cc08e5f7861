"""Projects in a store: ``check`` names every charge that is in another project than its instance was in then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.store.opening import OpenStore, Target, open_store, upgrade
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


async def test_check_names_each_charge_in_another_project_than_its_instance_was_in(target: Target) -> None:
    upgrade(target)
    store = open_store(target)
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
