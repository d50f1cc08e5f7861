"""The audit log, as every store keeps it."""

from __future__ import annotations

from typing import Any

from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.audit_log import NOTHING, Audit, Head, Sealed, closing_of, pages_of
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import AuditFilter, EventPlace
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, number
from tests.contract.rows import TEXT, unit
from tests.domain.test_audit import entry

Line = tuple[str, Any]


async def put(store: OpenStore, end: Head, *lines: Line, heads: list[Head] | None = None, commit: bool = True) -> Head:
    """Write entries on the next pages of a chain; returns its end."""
    pages = pages_of(end, lines, heads or ())
    last = pages[-1]
    changes = Book().changes()
    changes.audit = Audit(
        pages,
        Sealed(last.chain, last.number, last.hash, last.last_at, b"\x00seal"),
        sorted({(account, name) for account, one in lines for name in one.names}),
    )
    await save(store, changes, commit=commit)
    return Head(last.chain, last.number, last.hash)


async def save(store: OpenStore, changes: Changes, *, commit: bool = True) -> None:
    transaction = await store.begin()
    await transaction.save(changes)
    await (transaction.commit() if commit else transaction.rollback())


async def keep(store: OpenStore, *units: Instance) -> None:
    """Write instances."""
    changes = Book().changes()
    changes.inserted[INSTANCES] = list(units)
    transaction = await store.begin()
    await number(transaction, sorted({row.account_id for row in units}))
    await transaction.save(changes)
    await transaction.commit()


def asked(store: OpenStore, limit: int = 100, after: EventPlace | None = None, **wanted: Any) -> list[int]:
    """The times of the entries that are found."""
    found = store.ask(lambda ask: ask.audit(AuditFilter(account_id="acc-1", **wanted), after=after, limit=limit))
    return [line.entry.at for line in found.lines]


async def test_entries_come_back_newest_first_as_they_were_written(on_store: OnStore) -> None:
    async with on_store() as store:
        first = entry(1, body=TEXT, message=TEXT, names=("unit-1",), token=True, user_id=None, access_key=None)
        end = await put(store, Head("a", 0, NOTHING), ("acc-1", first), ("acc-2", entry(2)), ("acc-1", entry(3)))
        await put(store, end, ("acc-1", entry(4)), ("", entry(5)))
        found = store.ask(lambda ask: ask.audit(AuditFilter(account_id="acc-1"), after=None, limit=10))
        assert [line.entry.at for line in found.lines] == [4, 3, 1]
        assert found.lines[-1].entry == first
        assert [(line.chain, line.number) for line in found.lines] == [("a", 3), ("a", 1), ("a", 1)]
        assert found.stopped is None
        nobody = store.ask(lambda ask: ask.audit(AuditFilter(account_id=""), after=None, limit=10))
        assert [line.entry.at for line in nobody.lines] == [5]


async def test_pages_of_entries_go_on_where_the_last_one_ended(on_store: OnStore) -> None:
    async with on_store() as store:
        end = Head("a", 0, NOTHING)
        for at in range(1, 130, 2):
            end = await put(store, end, ("acc-1", entry(at)), ("acc-1", entry(at + 1)))
        seen: list[int] = []
        after = None
        while True:
            found = store.ask(
                lambda ask, after=after: ask.audit(AuditFilter(account_id="acc-1"), after=after, limit=7)  # type: ignore[misc]
            )
            seen += [line.entry.at for line in found.lines]
            after = found.stopped
            if after is None:
                break
            assert len(found.lines) == 7
        assert seen == list(range(130, 0, -1))
        assert asked(store, since=Instant(50), until=Instant(60)) == list(range(59, 49, -1))


async def test_only_instances_of_the_account_are_indexed_and_found(on_store: OnStore) -> None:
    async with on_store() as store:
        await keep(store, unit("unit-1"), unit("unit-2", account_id="acc-2"))
        end = await put(store, Head("a", 0, NOTHING), ("acc-1", entry(1, names=("unit-1", "unit-2", "unit-none"))))
        end = await put(store, end, ("acc-1", entry(2, code="QuotaExceeded", names=("unit-1",))), ("acc-1", entry(3)))
        assert asked(store, unit_id="unit-1") == [2, 1]
        assert asked(store, unit_id="unit-1", refused=True) == [2]
        assert asked(store, unit_id="unit-2") == asked(store, unit_id="unit-none") == []


async def test_the_ends_of_all_chains_are_known_to_the_next_batch(on_store: OnStore) -> None:
    async with on_store() as store:
        one = await put(store, Head("b", 0, NOTHING), ("acc-1", entry(1)))
        one = await put(store, one, ("acc-1", entry(2)))
        other = await put(store, Head("a", 0, NOTHING), ("acc-1", entry(3)))
        transaction = await store.begin()
        assert await transaction.audit_heads() == [other, one]
        await transaction.rollback()
        ends = store.ask(lambda ask: ask.audit_chains(1))
        assert [(end.chain, end.number, end.seal) for end in ends] == [("a", 1, b"\x00seal")]


async def test_what_is_rolled_back_was_never_written(on_store: OnStore) -> None:
    async with on_store() as store:
        await put(store, Head("a", 0, NOTHING), ("acc-1", entry(1)), commit=False)
        assert asked(store) == []
        assert store.ask(lambda ask: ask.audit_chains(9)) == []


async def test_the_oldest_pages_are_closed_and_the_chain_goes_on_from_there(on_store: OnStore) -> None:
    async with on_store() as store:
        await keep(store, unit("unit-1"))
        end = Head("a", 0, NOTHING)
        for at in range(1, 6):
            end = await put(store, end, ("acc-1", entry(at, names=("unit-1",))))
        for before, numbers in ((3, (1, 2)), (5, (3, 4))):
            transaction = await store.begin()
            closing = closing_of(*await transaction.audit_oldest(9), Instant(before), Instant(99), "00")
            assert closing is not None
            assert (closing.closure.first_number, closing.closure.last_number) == numbers
            changes = Book().changes()
            changes.audit = Audit(closing=closing)
            await transaction.save(changes)
            await transaction.commit()
        assert asked(store) == asked(store, unit_id="unit-1") == [5]
        assert closing is not None
        closures = store.ask(lambda ask: ask.audit_closures(after=None, limit=9))
        assert [one.row.last_number for one in closures] == [4, 2]
        assert closing is not None
        assert closures[0].row == closing.closure
        assert closures[0].row.hash_before == closures[1].row.hash_after
        rest = store.ask(lambda ask: ask.audit_closures(after=closures[0].seq, limit=9))
        assert rest == closures[1:]


async def test_an_export_has_every_page_of_an_account_or_of_all_in_the_order_of_writing(on_store: OnStore) -> None:
    async with on_store() as store:
        end = Head("a", 0, NOTHING)
        for at in range(1, 120):
            end = await put(store, end, ("acc-1", entry(at)), ("", entry(at)))
        for account, since, until, count in (
            (None, None, None, 238),
            ("acc-1", None, None, 119),
            ("", None, None, 119),
            ("acc-1", Instant(10), Instant(12), 2),
            ("nobody", None, None, 0),
        ):
            pages = store.ask(lambda ask, a=account, s=since, u=until: list(ask.audit_export(a, s, u)))  # type: ignore[misc]
            assert len(pages) == count
            assert [page.first_at for page in pages] == sorted(page.first_at for page in pages)
