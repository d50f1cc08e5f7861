"""An account's usage for its limits: reserved units, and charges of a month, by user, project and tag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import ChargedTags, Usage, UsageTotals
from leasebook.domain.book.tables import FORMER_TAGS, RESOURCE_TAGS
from leasebook.domain.costs.rows import COSTS_SUMMED
from leasebook.store.costs.queries import CHARGED, TAGS
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.postings import NUMBER_OF_ACCOUNT, OF_ACCOUNT
from leasebook.store.rows.sums import parts_of, total

IDS_AT_ONCE: Final = 100
"""Instances in one statement."""

HELD_TEXT = (
    "SELECT created_by, type, project_id, sum(CASE WHEN target_count > count THEN target_count ELSE count END) "
    f"FROM units WHERE {OF_ACCOUNT} AND status <> 'Released' AND status <> 'CreateFailed' "
    "GROUP BY created_by, type, project_id"
)
SPENT_TEXT = (
    f"SELECT u.created_by, p.project_id, {parts_of(CHARGED)} FROM postings p JOIN units u ON u.seq = p.unit "
    f"WHERE p.{OF_ACCOUNT} AND p.at >= ? GROUP BY u.created_by, p.project_id"
)


def usage_totals_of(units: Sequence[tuple[Any, ...]], spent: Sequence[tuple[Any, ...]]) -> Usage:
    """Return an account's reserved units and charges by user and by project."""
    usage = Usage()
    for user_id, unit_type, project_id, count in units:
        usage.add_units("units", user_id, unit_type, int(count))
        if project_id is not None:
            usage.add_units("project_units", project_id, unit_type, int(count))
    for user_id, project_id, *sums in spent:
        usage.add_spent(user_id, project_id, total(*sums))
    return usage


_BY_TAGS: Final = (
    f"SELECT 'posting' AS kind, '' AS id, tags, {parts_of('amount')} FROM (SELECT {TAGS} AS tags, {CHARGED} AS amount "
    f"FROM postings p WHERE p.account + 0 = {NUMBER_OF_ACCOUNT} AND p.at >= ? AND p.unit_id IS NOT NULL "
    "AND p.seq > {after}) AS charged GROUP BY tags"
)
# One statement, so that no posting becomes part of the sums between two looks.
SUMS_TEXT: Final = (
    "SELECT 'sums' AS kind, '' AS id, sums AS tags, 0 AS high, 0 AS low FROM costs "
    "WHERE account_id = ? AND level = 'Month' AND since = ? "
    "UNION ALL SELECT CASE WHEN rest THEN 'rest' ELSE 'group' END, id, tags, 0, 0 FROM cost_groups "
    "WHERE account_id = ? "
    "UNION ALL "
    + _BY_TAGS.replace(
        "{after}", f"coalesce((SELECT CAST(value AS BIGINT) FROM facts WHERE name = '{COSTS_SUMMED}'), 0)"
    )
)
"""An account's charges of a month by tags: those in the sums of costs, and postings that are not part of them yet."""
POSTINGS_TEXT: Final = _BY_TAGS.replace("{after}", "0")
"""The same from postings alone."""


def sums_params(need: UsageTotals) -> tuple[str | int, ...]:
    """Return the parameters of ``SUMS_TEXT``."""
    return (need.account_id, need.since, need.account_id, need.account_id, need.since)


def by_tags_of(rows: Sequence[tuple[Any, ...]]) -> dict[str, int] | None:
    """Return charges by tags; None: some have lost their tags, because the account has too many groups of costs."""
    groups = {group: tags for kind, group, tags, *_ in rows if kind == "group"}
    found: dict[str, int] = {}
    for kind, _, text, high, low in rows:
        if kind == "posting":
            found[text] = found.get(text, 0) + total(high, low)
        for part in text.split() if kind == "sums" else ():
            group, billed, _ = part.split(":")
            if int(billed) and group not in groups:
                return None
            if int(billed):
                found[groups[group]] = found.get(groups[group], 0) + int(billed)
    return found


def tags_texts(need: ChargedTags) -> Iterator[tuple[str, tuple[str | int, ...], str, tuple[str | int, ...]]]:
    """Yield the queries for tags and for former tags, some instances at a time, each with its parameters."""
    now, former = CODECS[RESOURCE_TAGS], CODECS[FORMER_TAGS]
    names = columns(former)
    ofs = ", ".join(f"h.{name.strip()}" for name in names.split(","))
    for begin in range(0, len(need.unit_ids), IDS_AT_ONCE):
        ids = need.unit_ids[begin : begin + IDS_AT_ONCE]
        marks = ", ".join("?" for _ in ids)
        yield (
            f"SELECT {columns(now)} FROM tags WHERE id IN ({marks})",
            ids,
            # Those of the last change as well: it may be of this very moment.
            (
                f"SELECT {names} FROM tag_history WHERE id IN ({marks}) AND until >= ? UNION SELECT {ofs} FROM tags t "
                f"JOIN tag_history h ON h.id = t.id AND h.until = t.changed_at WHERE t.id IN ({marks})"
            ),
            (*ids, need.since, *ids),
        )


def load_tags(need: ChargedTags, book: Book, now: Sequence[tuple[Any, ...]], former: Sequence[tuple[Any, ...]]) -> None:
    """Put the tags of instances into the book; rows that a command had loaded stay."""
    book.load_rows(RESOURCE_TAGS, map(CODECS[RESOURCE_TAGS].read, now))
    book.load_rows(FORMER_TAGS, map(CODECS[FORMER_TAGS].read, former))
    for unit_id in need.unit_ids:
        book.rows[RESOURCE_TAGS].setdefault((unit_id,), None)
