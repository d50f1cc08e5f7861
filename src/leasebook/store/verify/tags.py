"""Checks of names and tags: they belong to things of their account, and the index of tags has each of them once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.store.queries.read_repository import Fetch

SOURCES: Final = {
    "unit": ("units", True),
    "tpm": ("units", True),
    "pkg": ("packages", True),
    "svco": ("services", True),
    "am": ("model_sets", True),
    "amv": ("models", True),
    "key": ("service_keys", True),
    "sub": ("hooks", False),
}
"""The table of the things of each prefix, and whether its rows are numbered and so have entries in the index."""
ROWS_AT_ONCE: Final = 5_000


def tag_findings(fetch: Fetch, limit: int) -> Iterator[str]:
    """Yield a line for each row of tags without its thing, and for each entry that the index lacks or has too many."""
    prefix = "substr(t.id, 1, length(t.kind) + 1) <> t.kind || '-'"
    for (id_,) in fetch(f"SELECT t.id FROM tags t WHERE {prefix} LIMIT ?", (limit,)):
        yield f"tags of {id_} are of another kind than its id"
    for kind, (table, numbered) in SOURCES.items():
        for id_, account in fetch(
            f"SELECT t.id, t.account_id FROM tags t LEFT JOIN {table} r ON r.id = t.id AND r.account_id = t.account_id "
            "WHERE t.kind = ? AND r.id IS NULL LIMIT ?",
            (kind, limit),
        ):
            yield f"tags of {id_} are account {account}'s, which has no such thing"
        if numbered:
            yield from _index(fetch, kind, table, limit)
    known = ", ".join(f"'{kind}'" for kind, (_, numbered) in SOURCES.items() if numbered)
    for kind, key in fetch(f"SELECT kind, key FROM tagged WHERE kind NOT IN ({known}) LIMIT ?", (limit,)):
        yield f"the index of tags has {key!r} of the kind {kind!r}, which no thing has"


def _index(fetch: Fetch, kind: str, table: str, limit: int) -> Iterator[str]:
    """Compare the tags in the rows with the index, some thousand rows at a time, and then their numbers.

    If all entries of things are there, and there are no more than those, the index is what the rows say.
    """
    after, listed = "", 0
    while True:
        rows = fetch(
            f"SELECT t.id, t.account_id, t.name, t.tags, r.seq FROM tags t JOIN {table} r ON r.id = t.id "
            "WHERE t.kind = ? AND t.id > ? ORDER BY t.id LIMIT ?",
            (kind, after, ROWS_AT_ONCE),
        )
        for id_, account, name, text, seq in rows:
            try:
                wanted = msgspec.json.decode(text, type=dict[str, str])
            except msgspec.DecodeError:
                yield f"tags of {id_} cannot be read"
                continue
            if name is not None:
                wanted["leasebook:name"] = name
            marks = ", ".join("?" for _ in wanted) or "NULL"
            found: dict[str, str] = dict(
                fetch(
                    f"SELECT key, value FROM tagged WHERE account_id = ? AND kind = ? AND key IN ({marks}) AND seq = ?",
                    (account, kind, *wanted, seq),
                )
            )
            listed += len(found)
            for key in sorted(wanted):
                if wanted.get(key) != found.get(key) and limit > 0:
                    limit -= 1
                    yield f"the index of tags has {key!r} of {id_} as {found.get(key)!r}, and it is {wanted.get(key)!r}"
        if len(rows) < ROWS_AT_ONCE:
            break
        after = rows[-1][0]
    ((there,),) = fetch("SELECT count(*) FROM tagged WHERE kind = ?", (kind,))
    if there != listed:
        yield f"the index of tags has {there} entries of the kind {kind}, and things have {listed}"
