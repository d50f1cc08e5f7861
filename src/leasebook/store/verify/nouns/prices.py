"""Checks of prices: an offering's count of prices is right, and a purchase with a quote has the quote's price."""

from __future__ import annotations

import json
from collections.abc import Iterator

from leasebook.domain.values.money import amount_text
from leasebook.store.queries.read_repository import Fetch


def quote_findings(fetch: Fetch, limit: int) -> Iterator[str]:
    """Yield a line for each offering with a wrong count of prices, and for each quote that was not kept."""
    rows = fetch(
        "SELECT o.region, o.type, o.per_minute, o.price_number, p.changes FROM offerings o "
        "LEFT JOIN prices p ON p.region = o.region AND p.type = o.type",
        (),
    )
    for region, unit_type, per_minute, number, changes in rows:
        known = [] if changes is None else json.loads(changes)
        if number != len(known):
            yield f"offering {unit_type} in {region} has had {len(known)} prices a minute, and counts {number}"
        elif known and known[-1][1] != per_minute:
            last = amount_text(known[-1][1])
            yield f"offering {unit_type} in {region} has another price a minute than its last one, {last}"
    rows = fetch(
        "SELECT u.id, u.quoted_price, q.price FROM units u LEFT JOIN quotes q ON q.used_by = u.id "
        "WHERE u.quoted_price IS NOT NULL AND (q.price IS NULL OR q.price <> u.quoted_price) LIMIT ?",
        (limit,),
    )
    for unit, has, quoted in rows:
        said = "and no quote says so" if quoted is None else f"and was quoted at {amount_text(quoted)}"
        yield f"unit {unit} has units at {amount_text(has)} a minute, {said}"
