"""The live things of an account: counts and a few ids, as the store found them and the batch changed them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.offering import QUOTA
from leasebook.domain.model.service import Service

INSTANCES: Final = "instance"
QUOTAS: Final = "quota instance"
AUTO_RENEWALS: Final = "auto-renew rule"
SERVICES: Final = "service"
KINDS: Final = (INSTANCES, QUOTAS, AUTO_RENEWALS, SERVICES)
"""The kinds of live things that are counted."""
NAMED_MAX: Final = 5
"""How many of a kind are named at most: an account may hold a million."""


class Living:
    """The live things of one account by kind: how many there are, and the ids of some."""

    def __init__(self, found: dict[str, list[tuple[str, int]]], *, is_founders: bool) -> None:
        """``found`` has for each kind a few ids, each with the number of all; an empty list: there is none."""
        self.is_founders = is_founders
        """Whether it is the account that the store began with."""
        self._counts = {kind: rows[0][1] if rows else 0 for kind, rows in found.items()}
        self._ids = {kind: [row[0] for row in rows] for kind, rows in found.items()}

    def all(self) -> Iterator[tuple[str, int, list[str]]]:
        """Yield each kind that has some, with their number and some ids."""
        for kind in KINDS:
            if self._counts.get(kind):
                yield kind, self._counts[kind], self._ids[kind][:NAMED_MAX]

    def change(self, kind: str, row_id: str, step: int) -> None:
        """Count one more, or one less."""
        self._counts[kind] = self._counts.get(kind, 0) + step
        ids = self._ids.setdefault(kind, [])
        if step > 0:
            ids.append(row_id)
        elif row_id in ids:
            ids.remove(row_id)


def kinds_of(row: Any) -> Iterable[str]:
    """Return the kinds that a row is one of: none, if it does not live."""
    match row:
        case Instance() if row.status not in GONE:
            return (QUOTAS if row.kind == QUOTA else INSTANCES, *((AUTO_RENEWALS,) if row.auto_renew else ()))
        case Service() if row.deleted_at is None:
            return (SERVICES,)
        case _:
            return ()
