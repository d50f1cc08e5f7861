"""Queries about the costs of an account's instances in a period, a hundred at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.spending import Spender, Spent
from leasebook.store.queries.audit_log import columns
from leasebook.store.queries.bills import BILLS_AT_ONCE, padded
from leasebook.store.queries.months import MonthQueries
from leasebook.store.rows.codec import CODECS, POSTINGS
from leasebook.store.rows.postings import units_in
from leasebook.store.tags import TagQueries

PAGE: Final = 100_000
"""Ids of instances at a time, 20 MB: a page costs a walk through the account's period, however short it is."""
CHARGES_AT_ONCE: Final = 2000
"""Upper bound of the postings in memory at once, unless one instance has more: three months of hours."""
_MARKS: Final = ", ".join("?" * BILLS_AT_ONCE)


class SpendingQueries(MonthQueries, TagQueries):
    """Queries about costs, on one connection."""

    def charged(self, unit: Instance) -> Micro:
        """Return what an instance was charged in all."""
        return unit.charged

    def spending(self, account_id: str, since: Instant, until: Instant, *, with_bills: bool = True) -> Iterator[Spent]:
        """Yield an account's instances that cost something in a period, by their ids."""
        after = ""
        while True:
            page = self.spenders(account_id, since, until, after=after, limit=PAGE)
            for some in _portions(page, with_bills=with_bills):
                yield from self._spent(some, since, until, with_bills=with_bills)
            if len(page) < PAGE:
                return
            after = page[-1].unit_id

    def _spent(self, some: list[Spender], since: Instant, until: Instant, *, with_bills: bool) -> Iterator[Spent]:
        ids = [one.unit_id for one in some]
        units, tags = self._units(ids), self.tags_of(ids)
        bills = self.some_bills(ids if with_bills else [], since, until)
        terms = self._terms([one.unit_id for one in some if one.prepaid], until)
        for unit_id in ids:
            yield Spent(units[unit_id], tags.get(unit_id), bills.get(unit_id, []), terms.get(unit_id, []))

    def _units(self, ids: list[str]) -> dict[str, Instance]:
        codec = CODECS[INSTANCES]
        rows = self._fetch(f"SELECT {columns(codec)} FROM {codec.name} WHERE id IN ({_MARKS})", padded(ids))
        return {unit.id: unit for unit in map(codec.read, rows)}

    def _terms(self, ids: list[str], until: Instant) -> dict[str, list[Posting]]:
        found: dict[str, list[Posting]] = {unit_id: [] for unit_id in ids}
        if ids:
            text = (
                f"SELECT {columns(POSTINGS)} FROM postings WHERE {units_in(BILLS_AT_ONCE)} AND kind <> 'Usage' "
                "AND at < ? ORDER BY seq"
            )
            for posting in map(POSTINGS.read, self._fetch(text, (*padded(ids), until))):
                found[posting.unit_id or ""].append(posting)
        return found


def _portions(spenders: Iterable[Spender], *, with_bills: bool) -> Iterator[list[Spender]]:
    """Divide instances into portions whose rows are in memory at once."""
    portion: list[Spender] = []
    charges = 0
    for one in spenders:
        weight = one.charges if with_bills else 0
        if portion and (len(portion) == BILLS_AT_ONCE or charges + weight > CHARGES_AT_ONCE):
            yield portion
            portion, charges = [], 0
        portion.append(one)
        charges += weight
    if portion:
        yield portion
