"""Answers of the store of dictionaries about the model repository and keys for calling services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasebook.domain.book.tables import ACCESS_KEYS, MODEL_SETS, MODELS, SERVICE_KEYS, SERVICES, USERS, Key, Table
from leasebook.domain.model.account import User
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet, is_seen
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.values.resource_tags import EVERYTHING, Wanted
from leasebook.ports.queries.across import Across, is_of
from leasebook.ports.queries.read_repository import CALLED_MAX, Called, ModelSetFilter, Numbered


class MemoryRepository:
    """Questions asked of the dictionaries."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        raise NotImplementedError

    def model_set(self, set_id: str) -> ModelSet | None:
        """Return a set of models by id."""
        return self._rows(MODEL_SETS).get((set_id,))

    def model_sets(self, wanted: ModelSetFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return sets of models in the order in which they were added, or the other way round."""
        found = [
            Numbered(seq, row)
            for seq, row in enumerate(self._rows(MODEL_SETS).values(), start=1)
            if row.account_id in (wanted.account_id, EVERYBODYS)
            and wanted.everybodys in (None, row.account_id == EVERYBODYS)
            and row.deleted_at is None
            and (after is None or (seq < after if reverse else seq > after))
            and (wanted.name_part is None or wanted.name_part.lower() in row.name.lower())
        ]
        return (found[::-1] if reverse else found)[:limit]

    def model_set_named(self, account_id: str, name: str) -> ModelSet | None:
        """Return the oldest set of that name that an account sees; its own go before those for all accounts."""
        seen = [row for row in self._rows(MODEL_SETS).values() if row.name == name and is_seen(row, account_id)]
        return next(iter(sorted(seen, key=lambda row: row.account_id == EVERYBODYS)), None)

    def model_set_place(self, account_id: str, set_id: str) -> int | None:
        """Return the place in lists of a set that belongs to an account or to all, even if it is deleted since."""
        numbered = enumerate(self._rows(MODEL_SETS).values(), start=1)
        mine = (account_id, EVERYBODYS)
        return next((seq for seq, row in numbered if row.id == set_id and row.account_id in mine), None)

    def versions_of(self, set_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return id and number of the versions of each set that are not deleted, oldest first."""
        return {set_id: [(row.id, row.version) for row in self.models(set_id)] for set_id in set_ids}

    def model(self, model_id: str) -> Model | None:
        """Return a version of a model by id."""
        return self._rows(MODELS).get((model_id,))

    def models(self, set_id: str) -> list[Model]:
        """Return the versions of a set that are not deleted, oldest first."""
        return [row for row in self._rows(MODELS).values() if row.set_id == set_id and row.deleted_at is None]

    def service_key(self, key_id: str) -> ServiceKey | None:
        """Return a key for calling services by id."""
        return self._rows(SERVICE_KEYS).get((key_id,))

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
        """Return an account's keys for calling services, oldest first."""
        assert not tags, "no test asks this store for it"
        return [
            Numbered(seq, row)
            for seq, row in enumerate(self._rows(SERVICE_KEYS).values(), start=1)
            if is_of(row.account_id, account_id)
            and row.status == status
            and service_id in (None, row.service_id)
            and seq > (after or 0)
        ][:limit]

    def makers(self, user_ids: Sequence[str]) -> dict[str, tuple[User, bool]]:
        """Return users by id, each with whether an access key of theirs is active."""
        sign = {key.user_id for key in self._rows(ACCESS_KEYS).values() if key.status == "Active"}
        users = self._rows(USERS)
        return {one: (users[one,], one in sign) for one in user_ids if (one,) in users}

    def services_at(self, account_id: str, suffixes: Sequence[str]) -> dict[str, str]:
        """Return by suffix the first service of the account that has it and is not deleted."""
        found: dict[str, str] = {}
        for row in self._rows(SERVICES).values():
            if row.account_id == account_id and row.url_suffix in suffixes and row.deleted_at is None:
                found.setdefault(row.url_suffix, row.id)
        return found

    def services_called(self, account_id: str, word: str, first: str | None = None) -> list[Called]:
        """Return the services of an account with that id, suffix or name that are not deleted, in this order."""
        rows = [
            Called(row.id, row.url_suffix, row.name, row.project_id)
            for row in self._rows(SERVICES).values()
            if row.account_id == account_id and row.deleted_at is None
        ]
        found = [row for row in rows if word in row]
        return sorted(found, key=lambda row: (row.index(word), row.id != first))[:CALLED_MAX]
