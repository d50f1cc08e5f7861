"""Queries about packages, names and tags, and the conditions by which lists are filtered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import RESOURCE_TAGS, TOKEN_PACKAGES
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.values.resource_tags import ResourceTags, Wanted
from leasebook.domain.values.tag_policy import TagPolicy
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import UnitFilter
from leasebook.store.queries.account.across import of_accounts
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.postings import OF_ACCOUNT
from leasebook.store.tag_lists import PART, breaking, having, numbers_in

LISTS_AT_ONCE: Final = 64
KEY_LISTS_MAX: Final = 20_000
"""Upper bound of the lists of a key that are read to find the things that have it with any value."""
KEY_LENGTH_MAX: Final = 1_000_000
"""Upper bound of their length together, in characters. Things with more common keys are found by a walk."""
AT_ONCE: Final = 100
_PACKAGES: Final = f"SELECT {columns(CODECS[TOKEN_PACKAGES])} FROM packages WHERE"
COUNTED_MAX: Final = 500
"""How many lists of a tag are looked at to find the rarest of several tags."""


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
        """Return the numbers of an account's instances with all tags that are wanted, in order.

        ``where`` has further conditions on the row, which is called ``thing``. The lists of the rarest tag are walked
        in the order of the numbers, so a page costs the same from any start.
        """
        first, *others = sorted(wanted.entries, key=lambda entry: self._length(account_id, kind, entry))
        conditions, values = list(where), list(params)
        for text, given in (having(entry, "thing") for entry in others):
            conditions.append(text)
            values += given
        walk = self._listed(account_id, kind, first, after)
        if walk is None:
            text, given = having(first, "thing")
            return self._walked(account_id, [*conditions, text], [*values, *given], after, limit)
        found: list[int] = []
        for numbers in walk:
            text = " AND ".join([f"thing.seq IN ({', '.join('?' * AT_ONCE)})", *conditions])
            some = [*numbers, *[-1] * (AT_ONCE - len(numbers)), *values]
            rows = self._fetch(f"SELECT thing.seq FROM units thing WHERE {text} ORDER BY thing.seq", some)
            found += [row[0] for row in rows]
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

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

        ``where`` has further conditions on the row, which is called ``thing``. No list has missing keys, so the
        account's instances are walked from ``after`` on.
        """
        conditions, values = list(where), list(params)
        for text, given in (*(having(entry, "thing") for entry in wanted.tags.entries), breaking(policy, "thing")):
            conditions.append(text)
            values += given
        return self._walked(wanted.account_id, conditions, values, after, limit)

    def _walked(
        self, account_id: str, where: Sequence[str], params: Sequence[Any], after: int, limit: int | None
    ) -> list[int]:
        """Return the numbers of an account's instances for which conditions hold, by a walk along its instances."""
        text = (
            f"SELECT thing.seq FROM units thing WHERE thing.{OF_ACCOUNT} AND thing.seq > ? AND "
            f"{' AND '.join(where)} ORDER BY thing.seq"
        )
        values = [account_id, after, *params]
        rows = self._fetch(text, values) if limit is None else self._fetch(f"{text} LIMIT ?", [*values, limit])
        return [row[0] for row in rows]

    def _listed(
        self, account_id: str, kind: str, entry: tuple[str, str | None], after: int
    ) -> Iterable[list[int]] | None:
        """Return the numbers after a number that a tag's lists have, some at a time and in order.

        The lists of a key are ordered by its values. They are read as a whole; None: there are too many for that.
        """
        key, value = entry
        if value is not None:
            return self._listed_parts(account_id, kind, key, value, after)
        rows = self._fetch(
            "SELECT numbers FROM tag_lists WHERE account_id = ? AND kind = ? AND key = ? LIMIT ?",
            (account_id, kind, key, KEY_LISTS_MAX),
        )
        if len(rows) == KEY_LISTS_MAX or sum(len(text) for (text,) in rows) > KEY_LENGTH_MAX:
            return None
        return _in_order((text for (text,) in rows), after)

    def _listed_parts(self, account_id: str, kind: str, key: str, value: str, after: int) -> Iterator[list[int]]:
        of = "SELECT part, numbers FROM tag_lists WHERE account_id = ? AND kind = ? AND key = ? AND value = ? AND part"
        tag, part, more = (account_id, kind, key, value), (after + 1) // PART, True
        while more:
            rows = self._fetch(f"{of} >= ? ORDER BY part LIMIT ?", (*tag, part, LISTS_AT_ONCE))
            more = len(rows) == LISTS_AT_ONCE
            if more:
                # The last part may go on beyond these rows.
                part = rows[-1][0]
                rows = [row for row in rows if row[0] < part]
            if more and not rows:
                rows = self._fetch(f"{of} = ?", (*tag, part))
                part += 1
            yield from _in_order((text for _, text in rows), after)

    def _length(self, account_id: str, kind: str, entry: tuple[str, str | None]) -> int:
        """Return about how long a tag's lists are, up to a bound."""
        key, value = entry
        with_value = "" if value is None else " AND value = ?"
        text = f"SELECT numbers FROM tag_lists WHERE account_id = ? AND kind = ? AND key = ?{with_value} LIMIT ?"
        given = [account_id, kind, key, *(() if value is None else (value,)), COUNTED_MAX]
        ((length,),) = self._fetch(f"SELECT coalesce(sum(length(numbers)), 0) FROM ({text}) AS looked_at", given)
        return int(length)


def _in_order(lists: Iterable[str], after: int) -> Iterator[list[int]]:
    """Yield the numbers after a number that are in some lists, in order, as many as one statement looks up."""
    numbers = sorted(number for text in lists for number in numbers_in(text) if number > after)
    for begin in range(0, len(numbers), AT_ONCE):
        yield numbers[begin : begin + AT_ONCE]
