"""Every question that is asked of the store outside a batch, in SQL that all stores understand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.agenda import Due, DueKind
from leasehold.domain.book import ACCOUNTS, KEYS, OFFERINGS, PRICES, SERVICES, UNITS, USERS, Table
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import Offering, PriceList
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit
from leasehold.questions import Numbered, Questions, ServiceFilter, UnitFilter
from leasehold.store.codec import CODECS, ORDERS, POSTINGS, Codec

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Run a query, its parameters marked ``?``, and return its rows."""


def columns(codec: Codec[Any], prefix: str = "") -> str:
    """List a table's columns for a SELECT."""
    return ", ".join(f'{prefix}"{column}"' for column in codec.columns)


def _select(table: Table[Any]) -> str:
    return f"SELECT {columns(CODECS[table])} FROM {table.name}"


WALKS_MAX = 100
"""How many walks one statement merges: SQLite takes 500 parts."""
KINDS = ("region", "type", "payment_timing")


class Queries(Questions):
    """Questions asked of one connection, each a consistent answer of its own."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def _one(self, table: Table[Any], where: str, *params: Any) -> Any:
        rows = self._fetch(f"{_select(table)} WHERE {where}", params)
        return CODECS[table].read(rows[0]) if rows else None

    def fact(self, name: str) -> str | None:
        """Return a value that the store remembers about itself."""
        rows = self._fetch("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key with the user whom it belongs to."""
        key: AccessKey | None = self._one(KEYS, "id = ?", access_key_id)
        if key is None:
            return None
        user: User = self._one(USERS, "id = ?", key.user_id)
        return key, user

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        found: User | None = self._one(USERS, "id = ?", user_id)
        return found

    def users(self, account_id: str) -> list[tuple[User, list[AccessKey]]]:
        """Return an account's users, oldest first, each with its keys."""
        users = [
            CODECS[USERS].read(row)
            for row in self._fetch(f"{_select(USERS)} WHERE account_id = ? ORDER BY created_at, id", (account_id,))
        ]
        keys: dict[str, list[AccessKey]] = {user.id: [] for user in users}
        for row in self._fetch(f"{_select(KEYS)} WHERE account_id = ? ORDER BY created_at, id", (account_id,)):
            key = CODECS[KEYS].read(row)
            keys[key.user_id].append(key)
        return [(user, keys[user.id]) for user in users]

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        found: Account | None = self._one(ACCOUNTS, "id = ?", account_id)
        return found

    def unit(self, unit_id: str) -> Unit | None:
        """Return an instance by id, released ones included (decision 17)."""
        found: Unit | None = self._one(UNITS, "id = ?", unit_id)
        return found

    def units(self, wanted: UnitFilter, *, after: int = 0, limit: int | None = None) -> list[Numbered]:
        """Return instances in the order in which they were bought; live ones unless a status is asked for."""
        kinds = [(name, value) for name in KINDS if (value := getattr(wanted, name)) is not None]
        where = ["account_id = ?", "seq > ?"]
        params: list[Any] = [wanted.account_id, after]
        if wanted.service_id is not None:
            where.append("service_id = ?")
            params.append(wanted.service_id)
        elif (
            limit is not None
            and wanted.status in (None, "Running", "Released")
            and (kinds or wanted.status == "Released")
        ):
            return self._merged(wanted, after, limit)
        if wanted.status is not None:
            where.append("status = ?")
            params.append(wanted.status)
        # Said in the words of the index, so that it is used.
        where.append("status = 'Released'" if wanted.status == "Released" else "status <> 'Released'")
        if wanted.status not in (None, "Running", "Released"):
            where.append("status <> 'Running'")
        for name, value in kinds:
            where.append(f"{name} = ?")
            params.append(value)
        return self._numbered(CODECS[UNITS], where, params, "seq", limit)

    def _merged(self, wanted: UnitFilter, after: int, limit: int) -> list[Numbered]:
        """Merge a page from the walks along one index, a walk for each kind of instance that is asked for.

        What matches is looked up, never searched for: a page costs the same wherever it begins and however
        few instances match.
        """
        state = "status = 'Released'" if wanted.status == "Released" else "status <> 'Released'"
        running = " AND status = 'Running'" if wanted.status == "Running" else ""
        walk = (
            f"SELECT * FROM (SELECT seq FROM units WHERE account_id = ? AND region = ? AND type = ? "
            f"AND payment_timing = ? AND {state}{running} AND seq > ? ORDER BY seq LIMIT ?) AS walk"
        )
        walks, params = [], []
        for region, unit_type in self._fetch("SELECT region, type FROM offerings ORDER BY region, type", ()):
            for timing in ("Prepaid", "Postpaid"):
                asked = ((wanted.region, region), (wanted.type, unit_type), (wanted.payment_timing, timing))
                if all(value in (None, found) for value, found in asked):
                    walks.append(walk)
                    params += [wanted.account_id, region, unit_type, timing, after, limit]
        numbers: list[int] = []
        each = len(params) // max(len(walks), 1)
        for begin in range(0, len(walks), WALKS_MAX):
            text = " UNION ALL ".join(walks[begin : begin + WALKS_MAX])
            some = params[begin * each : (begin + WALKS_MAX) * each]
            numbers += [row[0] for row in self._fetch(f"{text} ORDER BY seq LIMIT ?", [*some, limit])]
        numbers = sorted(numbers)[:limit]
        where = [f"seq IN ({', '.join('?' for _ in numbers)})"] if numbers else ["1 = 0"]
        return self._numbered(CODECS[UNITS], where, numbers, "seq", None)

    def service(self, service_id: str) -> Service | None:
        """Return a service by id."""
        found: Service | None = self._one(SERVICES, "id = ?", service_id)
        return found

    def services(self, wanted: ServiceFilter, *, after: int | None, limit: int, reverse: bool) -> list[Numbered]:
        """Return an account's services in the order in which they were created, or the other way round."""
        where = ["account_id = ?"]
        params: list[Any] = [wanted.account_id]
        if after is not None:
            where.append("seq < ?" if reverse else "seq > ?")
            params.append(after)
        if wanted.name_part is not None:
            where.append("lower(name) LIKE ? ESCAPE '!'")
            params.append(f"%{_literal(wanted.name_part.lower())}%")
        if wanted.running is not None:
            where.append("replicas > 0" if wanted.running else "replicas = 0")
        if wanted.creators is not None:
            where.append(f"created_by IN ({', '.join('?' for _ in wanted.creators) or 'NULL'})")
            params += wanted.creators
        return self._numbered(CODECS[SERVICES], where, params, "seq DESC" if reverse else "seq", limit)

    def offerings(self) -> list[Offering]:
        """Return the catalogue in its order."""
        rows = self._fetch(f"{_select(OFFERINGS)} ORDER BY position, region, type", ())
        return [CODECS[OFFERINGS].read(row) for row in rows]

    def price_list(self, region: str, unit_type: str) -> PriceList | None:
        """Return every price that an offering ever had."""
        found: PriceList | None = self._one(PRICES, "region = ? AND type = ?", region, unit_type)
        return found

    def orders(self, account_id: str, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's orders, newest first."""
        return self._newest(ORDERS, account_id, after, limit)

    def postings(self, account_id: str, *, after: int | None, limit: int) -> list[Numbered]:
        """Return an account's postings, newest first."""
        return self._newest(POSTINGS, account_id, after, limit)

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work that is due by then, in the order in which it is to be done."""
        rows = self._fetch(
            "SELECT at, kind, unit_id FROM agenda WHERE at <= ? ORDER BY at, kind, unit_id LIMIT ?",
            (until, limit),
        )
        return [Due(Instant(at), DueKind(kind), unit_id) for at, kind, unit_id in rows]

    def next_due(self) -> Instant | None:
        """Return when the next work falls due."""
        ((at,),) = self._fetch("SELECT min(at) FROM agenda", ())
        return None if at is None else Instant(at)

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return since when the oldest release that should have been done by then is due."""
        ((at,),) = self._fetch("SELECT min(at) FROM agenda WHERE at <= ? AND kind = ?", (until, int(DueKind.RELEASE)))
        return None if at is None else Instant(at)

    def unit_counts(self) -> dict[str, int]:
        """Count the live instances by status."""
        rows = self._fetch("SELECT status, count(*) FROM units WHERE status <> 'Released' GROUP BY status", ())
        return dict(rows)

    def _newest(self, codec: Codec[Any], account_id: str, after: int | None, limit: int) -> list[Numbered]:
        where, params = ["account_id = ?"], [account_id]
        if after is not None:
            where.append("seq < ?")
            params.append(after)  # type: ignore[arg-type]
        return self._numbered(codec, where, params, "seq DESC", limit)

    def _numbered(
        self, codec: Codec[Any], where: list[str], params: list[Any], order: str, limit: int | None
    ) -> list[Numbered]:
        text = f"SELECT seq, {columns(codec)} FROM {codec.name} WHERE {' AND '.join(where)} ORDER BY {order}"
        if limit is not None:
            text += " LIMIT ?"
            params = [*params, limit]
        return [Numbered(row[0], codec.read(row[1:])) for row in self._fetch(text, params)]


def _literal(part: str) -> str:
    """Escape what LIKE would take for a wildcard."""
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
