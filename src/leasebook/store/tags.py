"""Queries about packages, names and tags, and the conditions by which lists are filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from leasebook.domain.book.tables import RESOURCE_TAGS, TOKEN_PACKAGES
from leasebook.domain.model.offering import UNITS_OF_COMPUTE
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.values.resource_tags import ResourceTags, Wanted
from leasebook.domain.values.tag_policy import TagPolicy
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import UnitFilter
from leasebook.store.queries.account.across import of_accounts
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.postings import OF_ACCOUNT

NUMBERED: Final = {
    "unit": "units",
    "tpm": "units",
    "pkg": "packages",
    "svco": "services",
    "am": "model_sets",
    "amv": "models",
    "key": "service_keys",
}
"""The kinds whose rows are numbered, which are those in the index of tags, and their tables."""
AT_ONCE: Final = 100
_PACKAGES: Final = f"SELECT {columns(CODECS[TOKEN_PACKAGES])} FROM packages WHERE"
COUNTED_MAX: Final = 500
"""How many entries of a tag are counted to find the rarest of several tags."""


class TagQueries:
    """Queries about packages, names and tags, on one connection."""

    _fetch: Fetch

    def tags_of(self, ids: Sequence[str]) -> dict[str, ResourceTags]:
        """Return the names and tags of things by their ids; those without are left out."""
        codec, found = CODECS[RESOURCE_TAGS], {}
        for begin in range(0, len(ids), AT_ONCE):
            some = ids[begin : begin + AT_ONCE]
            marks = ", ".join("?" for _ in some)
            for columns_ in self._fetch(f"SELECT {columns(codec)} FROM {codec.name} WHERE id IN ({marks})", some):
                row: ResourceTags = codec.read(columns_)
                found[row.id] = row
        return found

    def people_named(self, user_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the account and the name of users by their ids, deleted users included; unknown ids are left out."""
        found = {}
        # Limits may name users who do not exist, and PostgreSQL takes no NUL.
        possible = [one for one in user_ids if "\0" not in one]
        for begin in range(0, len(possible), AT_ONCE):
            some = possible[begin : begin + AT_ONCE]
            marks = ", ".join("?" for _ in some)
            for user_id, account_id, name in self._fetch(
                f"SELECT id, account_id, name FROM users WHERE id IN ({marks})", some
            ):
                found[str(user_id)] = str(account_id), str(name)
        return found

    def package(self, package_id: str) -> TokenPackage | None:
        """Return a package by id."""
        rows = self._fetch(f"{_PACKAGES} id = ?", (package_id,))
        return CODECS[TOKEN_PACKAGES].read(rows[0]) if rows else None

    def packages(self, account_id: str | Across) -> list[TokenPackage]:
        """Return the packages of an account or several, oldest first."""
        whose, params = of_accounts(account_id)
        rows = self._fetch(f"{_PACKAGES} {whose} ORDER BY seq", params)
        return [CODECS[TOKEN_PACKAGES].read(row) for row in rows]

    def tagged_numbers(
        self,
        account_id: str,
        kind: str,
        wanted: Wanted,
        where: Sequence[str],
        params: Sequence[Any],
        after: int,
        limit: int | None,
    ) -> list[int]:
        """Return the numbers of an account's rows with all tags that are wanted, in order.

        ``where`` has further conditions on the row, which is called ``thing``. The entries of the rarest tag are walked
        in the order of the numbers, so a page costs the same from any start.
        """
        first, *others = sorted(wanted.entries, key=lambda entry: self._count(account_id, kind, entry))
        key, value = first
        conditions = ["t.account_id = ?", "t.kind = ?", "t.key = ?", "t.seq > ?"]
        values: list[Any] = [account_id, kind, key, after]
        if value is not None:
            conditions.append("t.value = ?")
            values.append(value)
        for text, given in (having(account_id, kind, entry, "t.seq") for entry in others):
            conditions.append(text)
            values += given
        # The order of the join is given: by its statistics SQLite may walk all live rows instead.
        text = (
            f"SELECT t.seq FROM tagged t CROSS JOIN {NUMBERED[kind]} thing WHERE thing.seq = t.seq AND "
            f"{' AND '.join([*conditions, *where])} ORDER BY t.seq"
        )
        values += params
        if limit is not None:
            text, values = f"{text} LIMIT ?", [*values, limit]
        return [row[0] for row in self._fetch(text, values)]

    def breaking_numbers(
        self,
        wanted: UnitFilter,
        policy: TagPolicy,
        where: Sequence[str],
        params: Sequence[Any],
        after: int,
        limit: int | None,
    ) -> list[int]:
        """Return the numbers of an account's instances whose tags a policy would refuse, in order.

        ``where`` has further conditions on the row, which is called ``thing``. No index has missing keys, so the
        account's instances are walked from ``after`` on.
        """
        kind = "unit" if wanted.kind == UNITS_OF_COMPUTE else "tpm"
        conditions, values = [f"thing.{OF_ACCOUNT}", "thing.seq > ?", *where], [wanted.account_id, after, *params]
        for text, given in (having(wanted.account_id, kind, entry, "thing.seq") for entry in wanted.tags.entries):
            conditions.append(text)
            values += given
        text, given = breaking(wanted.account_id, kind, policy, "thing.seq")
        found = f"SELECT thing.seq FROM units thing WHERE {' AND '.join([*conditions, text])} ORDER BY thing.seq"
        values += given
        rows = self._fetch(found, values) if limit is None else self._fetch(f"{found} LIMIT ?", [*values, limit])
        return [row[0] for row in rows]

    def _count(self, account_id: str, kind: str, entry: tuple[str, str | None]) -> int:
        """Count the entries of a tag, up to a bound."""
        key, value = entry
        with_value = "" if value is None else " AND value = ?"
        text = f"SELECT 1 FROM tagged WHERE account_id = ? AND kind = ? AND key = ?{with_value} LIMIT ?"
        given = [account_id, kind, key, *(() if value is None else (value,)), COUNTED_MAX]
        ((count,),) = self._fetch(f"SELECT count(*) FROM ({text}) AS part", given)
        return int(count)


def having(account_id: str | None, kind: str, entry: tuple[str, str | None], number: str) -> tuple[str, list[Any]]:
    """Return the condition that the row of a number has a tag, and its parameters; None: of any account."""
    key, value = entry
    with_value = "" if value is None else " AND o.value = ?"
    whose = f"{number.partition('.')[0]}.account_id" if account_id is None else "?"
    text = (
        f"EXISTS (SELECT 1 FROM tagged o WHERE o.account_id = {whose} AND o.kind = ? AND o.key = ? AND o.seq = {number}"
        f"{with_value})"
    )
    return text, [*(() if account_id is None else (account_id,)), kind, key, *(() if value is None else (value,))]


def breaking(account_id: str, kind: str, policy: TagPolicy, number: str) -> tuple[str, list[Any]]:
    """Return the condition that the tags of a row break a policy, and its parameters."""
    parts, params = [], []
    entry = f"SELECT 1 FROM tagged o WHERE o.account_id = ? AND o.kind = ? AND o.key = ? AND o.seq = {number}"
    for key in policy.required:
        parts.append(f"NOT EXISTS ({entry})")
        params += [account_id, kind, key]
    for key, values in policy.allowed.items():
        parts.append(f"EXISTS ({entry} AND o.value NOT IN ({', '.join('?' for _ in values)}))")
        params += [account_id, kind, key, *values]
    return f"({' OR '.join(parts) or '1 = 0'})", params
