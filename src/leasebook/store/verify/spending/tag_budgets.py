"""Checks of budgets by tag: their counters are the charges of the month for the tags that instances had then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.money import Micro, amount_text
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.postings import OF_ACCOUNT
from leasebook.store.rows.sums import parts_of, total

# Written again, and not the query by which the service counts: a mistake there would show as a difference here.
_TAGS: Final = (
    "coalesce((SELECT h.tags FROM tag_history h WHERE h.id = p.unit_id AND h.until = (SELECT min(n.until) FROM "
    "tag_history n WHERE n.id = p.unit_id AND n.until >= p.at)), "
    "(SELECT t.tags FROM tags t WHERE t.id = p.unit_id), '{}')"
)
_MOVED: Final = "CASE WHEN p.credit = 'wallet:' || p.account_id THEN -p.amount ELSE p.amount END"
_SPENT: Final = (
    f"SELECT tags, {parts_of('amount')} FROM (SELECT {_TAGS} AS tags, {_MOVED} AS amount FROM postings p "
    f"WHERE p.{OF_ACCOUNT} AND p.at >= ? AND p.at < ? AND p.unit_id IS NOT NULL) AS charged GROUP BY tags"
)


def check_tag_budgets(
    fetch: Fetch, account: str, month: str, zone: str, rules_text: str, spent_text: str
) -> Iterator[str]:
    """Compare the counters of an account's budgets by tag with its postings of the month."""
    budgets: dict[str, dict[str, Any]] = msgspec.json.decode(rules_text).get("tags", {})
    spent = msgspec.json.decode(spent_text, type=dict[str, dict[str, int]])
    counted = {(key, value): amount for key, values in spent.items() for value, amount in values.items()}
    wanted = {(key, value): 0 for key, values in budgets.items() for value in values}
    for key, value in sorted(counted.keys() - wanted.keys()):
        yield f"account {account} counts charges for the tag {key}={value}, which has no budget"
    if month and wanted:
        year, number = map(int, month.split("-"))
        for text, *sums in fetch(_SPENT, (account, *month_of(year, number, zone))):
            for pair in msgspec.json.decode(text, type=dict[str, str]).items():
                if pair in wanted:
                    wanted[pair] += total(*sums)
    for (key, value), was in sorted(wanted.items()):
        said = counted.get((key, value), 0)
        if said != was:
            yield (
                f"account {account} counts {amount_text(Micro(said))} in {month} for the tag {key}={value}, and its "
                f"postings sum up to {amount_text(Micro(was))}"
            )
