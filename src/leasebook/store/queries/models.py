"""Queries about the model repository and about keys for calling services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import MODEL_SETS, MODELS, SERVICE_KEYS, USERS, Table
from leasebook.domain.model.account import User
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.values.resource_tags import EVERYTHING, Wanted
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.read_repository import CALLED_MAX, Called, ModelSetFilter, Numbered
from leasebook.store.queries.account.across import of_accounts
from leasebook.store.rows.codec import CODECS
from leasebook.store.tag_lists import having

IDS_AT_ONCE: Final = 500


class RepositoryQueries:
    """The part of ``Queries`` for these tables; ``Queries`` provides ``_fetch``."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def model_set(self, set_id: str) -> ModelSet | None:
        """Return a model set by id."""
        rows = self._rows(MODEL_SETS, ["id = ?"], [set_id], "seq", 1)
        return rows[0].row if rows else None

    def model_sets(self, wanted: ModelSetFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return model sets in the order in which they were added, or reversed."""
        owners = {None: [wanted.account_id, EVERYBODYS], True: [EVERYBODYS], False: [wanted.account_id]}
        params: list[Any] = [*owners[wanted.everybodys]]
        where = [f"account_id IN ({', '.join('?' for _ in params)})", "deleted_at IS NULL"]
        if after is not None:
            where.append("seq < ?" if reverse else "seq > ?")
            params.append(after)
        if wanted.name_part is not None:
            part = wanted.name_part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
            where.append("lower(name) LIKE lower(?) ESCAPE '!'")
            params.append(f"%{part}%")
        _add_tags(where, params, wanted.tags, "model_sets")
        return self._rows(MODEL_SETS, where, params, "seq DESC" if reverse else "seq", limit)

    def model_set_named(self, account_id: str, name: str) -> ModelSet | None:
        """Return the oldest set of that name that an account sees; its own go before those for all accounts."""
        where = ["account_id IN (?, ?)", "name = ?", "deleted_at IS NULL"]
        rows = self._rows(MODEL_SETS, where, [account_id, EVERYBODYS, name], "account_id DESC, seq", 1)
        return rows[0].row if rows else None

    def model_set_place(self, account_id: str, set_id: str) -> int | None:
        """Return the place in lists of a set that belongs to an account or to all, even if it is deleted since."""
        rows = self._fetch(
            "SELECT seq FROM model_sets WHERE id = ? AND account_id IN (?, ?)", (set_id, account_id, EVERYBODYS)
        )
        return int(rows[0][0]) if rows else None

    def versions_of(self, set_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return id and number of the versions of each set that are not deleted, oldest first."""
        found: dict[str, list[tuple[str, str]]] = {set_id: [] for set_id in set_ids}
        if set_ids:
            marks = ", ".join("?" for _ in set_ids)
            for set_id, model_id, version in self._fetch(
                f"SELECT set_id, id, version FROM models WHERE set_id IN ({marks}) AND deleted_at IS NULL ORDER BY seq",
                set_ids,
            ):
                found[set_id].append((model_id, version))
        return found

    def model(self, model_id: str) -> Model | None:
        """Return a version of a model by id."""
        rows = self._rows(MODELS, ["id = ?"], [model_id], "seq", 1)
        return rows[0].row if rows else None

    def models(self, set_id: str) -> list[Model]:
        """Return the versions of a set that are not deleted, oldest first."""
        return [one.row for one in self._rows(MODELS, ["set_id = ?", "deleted_at IS NULL"], [set_id], "seq", None)]

    def service_key(self, key_id: str) -> ServiceKey | None:
        """Return a key for calling services by id."""
        rows = self._rows(SERVICE_KEYS, ["id = ?"], [key_id], "seq", 1)
        return rows[0].row if rows else None

    def service_keys(
        self,
        account_id: str | Across,
        *,
        service_id: str | None,
        status: str,
        tags: Wanted = EVERYTHING,
        after: int | None,
        limit: int,
    ) -> list[Numbered]:
        """Return an account's keys for calling services, oldest first; with a service, only keys for that one."""
        whose, of = of_accounts(account_id)
        where, params = [whose, "status = ?", "seq > ?"], [*of, status, after or 0]
        if service_id is not None:
            where.append("service_id = ?")
            params.append(service_id)
        _add_tags(where, params, tags, "service_keys")
        return self._rows(SERVICE_KEYS, where, params, "seq", limit)

    def makers(self, user_ids: Sequence[str]) -> dict[str, tuple[User, bool]]:
        """Return users by id, each with whether one of their access keys is active."""
        found: dict[str, tuple[User, bool]] = {}
        codec = CODECS[USERS]
        columns = ", ".join(f'"{column}"' for column in codec.columns)
        for begin in range(0, len(user_ids), IDS_AT_ONCE):
            some = user_ids[begin : begin + IDS_AT_ONCE]
            marks = ", ".join("?" for _ in some)
            sign = {
                user_id
                for (user_id,) in self._fetch(
                    f"SELECT DISTINCT user_id FROM access_keys WHERE user_id IN ({marks}) AND status = 'Active'", some
                )
            }
            for row in map(codec.read, self._fetch(f"SELECT {columns} FROM users WHERE id IN ({marks})", some)):
                found[row.id] = row, row.id in sign
        return found

    def services_at(self, account_id: str, suffixes: Sequence[str]) -> dict[str, str]:
        """Return the service that answers at each suffix: the first of the account's that has it and is not deleted."""
        if not suffixes:
            return {}
        rows = self._fetch(
            "SELECT url_suffix, id FROM services WHERE account_id = ? AND deleted_at IS NULL "
            f"AND url_suffix IN ({', '.join('?' for _ in suffixes)}) ORDER BY seq DESC",
            (account_id, *suffixes),
        )
        # Later entries replace earlier ones, and the oldest service comes last.
        return dict(rows)

    def services_called(self, account_id: str, word: str, first: str | None = None) -> list[Called]:
        """Return the services of an account with that id, suffix or name that are not deleted, in this order."""
        rows = self._fetch(
            "SELECT id, url_suffix, name, project_id FROM services WHERE account_id = ? AND deleted_at IS NULL "
            "AND (id = ? OR url_suffix = ? OR name = ?) ORDER BY CASE WHEN id = ? THEN 0 WHEN url_suffix = ? THEN 1 "
            "ELSE 2 END, CASE WHEN id = ? THEN 0 ELSE 1 END, seq LIMIT ?",
            (account_id, word, word, word, word, word, first or "", CALLED_MAX),
        )
        return [Called(*row) for row in rows]

    def _rows(
        self, table: Table[Any], where: list[str], params: Sequence[Any], order: str, limit: int | None
    ) -> list[Numbered]:
        codec = CODECS[table]
        columns = ", ".join(f'"{column}"' for column in codec.columns)
        text = f"SELECT seq, {columns} FROM {codec.name} WHERE {' AND '.join(where)} ORDER BY {order}"
        rows = self._fetch(f"{text} LIMIT ?", (*params, limit)) if limit is not None else self._fetch(text, params)
        return [Numbered(row[0], codec.read(row[1:])) for row in rows]


def _add_tags(where: list[str], params: list[Any], wanted: Wanted, table: str) -> None:
    """Add the conditions that a row has all tags that are wanted."""
    for entry in wanted.entries:
        text, given = having(entry, table)
        where.append(text)
        params += given
