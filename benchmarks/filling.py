"""Stores full of instances, written straight into the tables: a million take a minute or two instead of an hour.

The rows are those that buying would have left there, so the books are right: every instance has its order, every
charge its posting, every balance the top-ups that cover it, every offering the stock that is held, the due work is what
the rules say of each instance, events tell of all of it, and the audit log has its digests. ``leasebook check`` finds
nothing.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import psycopg

from benchmarks.filling_record import Record
from benchmarks.serving import LEASEBOOK, Server
from benchmarks.sinks import Sink
from leasebook.api.ids import UNIT_COMMON, UNIT_RUN
from leasebook.domain.book.tables import INSTANCES, OFFERINGS, PRICES, RESOURCE_TAGS
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.model.account import Account, User
from leasebook.domain.model.instance import Instance, InstanceStatus
from leasebook.domain.model.offering import Offering, PriceChange
from leasebook.domain.record.ledger import (
    FUNDING,
    PREPAID_REVENUE,
    USAGE_REVENUE,
    Order,
    PaymentTiming,
    Posting,
    wallet,
)
from leasebook.domain.rules.metering import minutes_started
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant, add_months
from leasebook.domain.values.money import Micro
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.clock import wall_us
from leasebook.store.opening import Target
from leasebook.store.queries.read_repository import columns
from leasebook.store.rows.codec import CODECS, Codec

CHUNK: Final = 20_000
OTHERS: Final = 200
BIG_SHARE: Final = 0.3
"""How much of everything the first tenant owns; the others share the rest, the biggest most."""
TYPE_SHARES: Final = {"cpu": 10, "gpu-1": 30, "gpu-2": 20, "gpu-3": 15, "gpu-4": 10, "gpu-5": 10, "gpu-6": 5}
REGION_SHARES: Final = {"bj": 6, "bd": 4}
COUNT_SHARES: Final = {1: 60, 2: 20, 4: 12, 8: 8}
AGE_US: Final = 90 * DAY_US
FAR_US: Final = 300 * DAY_US
ZONE: Final = "Asia/Shanghai"
"""Of tenants that are made."""
COMMON_EVERY: Final = 10
RARE_EVERY: Final = 200
"""One live instance in COMMON_EVERY has the common tag, and one in RARE_EVERY the rare one."""
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Sale(msgspec.Struct, frozen=True):
    """An instance with the order that bought it and everything that was charged for it."""

    unit: Instance
    order: Order
    postings: Sequence[Posting] = ()


class Tenant(msgspec.Struct, frozen=True):
    """Who owns instances."""

    account_id: str
    user_id: str
    time_zone: str


@contextmanager
def stores(kind: str, folder: Path, *names: str, founded: bool = True) -> Iterator[list[Target]]:
    """Return new stores of a kind: directories, or databases of one durable server that ends with them.

    ``founded``: this version's server has been there first.
    """
    if kind == "sqlite":
        targets = [Target(folder / name) for name in names]
        for where in targets if founded else ():
            found(where)
        yield targets
        return
    from tests.postgres import PostgresServer as Postgres

    database = Postgres(durable=True)
    try:
        with psycopg.connect(database.url("postgres"), autocommit=True) as connection:
            for name in names:
                connection.execute(cast("Any", f"CREATE DATABASE {name}"))
        targets = [Target(folder / name, database.url(name)) for name in names]
        for where in targets if founded else ():
            found(where)
        yield targets
    finally:
        database.remove()


def aim(what: str, value: float, limit: float, *, at_most: bool, unit: str = "") -> bool:
    """Print a figure with the verdict on it; returns whether it is what it should be."""
    met = value <= limit if at_most else value >= limit
    asked = f"aim: at {'most' if at_most else 'least'} {limit:,g}{unit}"
    print(f"{'met   ' if met else 'MISSED'} {what}: {value:,.4g}{unit} ({asked})")
    return met


def store_options(where: Target) -> list[str]:
    """Return how the command line names a store."""
    data = ["--data", str(where.directory)]
    return data if where.url is None else [*data, "--store", where.url]


def found(where: Target) -> None:
    """Have a server found a store, with the demo's catalogue."""
    where.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = Server("founder", LEASEBOOK, store_options(where), where.directory / "founder.log")
    try:
        server.wait_until_ready()
        server.stop()
    finally:
        server.kill()


class Filler:
    """Fills a store that was founded and is not served."""

    def __init__(self, out: Sink, *, seed: int = 1, others: int = OTHERS) -> None:
        self._out = out
        self._dice = random.Random(seed)
        self.now = Instant(wall_us())
        self._spent: dict[str, int] = {}
        self._reserved: dict[tuple[str, str], int] = {}
        self._drawn = 0
        self._record = Record(out, self.now)
        self.offerings = {(row.region, row.type): row for row in self._offerings()}
        self._age_prices()
        self.tenants = self._tenants(others)
        shares = [1 / place for place in range(1, others + 1)]
        rest = (1 - BIG_SHARE) / sum(shares) if shares else 0
        self._tenant_shares = list(accumulate([BIG_SHARE, *(share * rest for share in shares)]))
        places = [(r, t, a * b) for r, a in REGION_SHARES.items() for t, b in TYPE_SHARES.items()]
        self._places = [(region, kind) for region, kind, _ in places]
        self._place_shares = list(accumulate(share for _, _, share in places))

    def _offerings(self) -> list[Offering]:
        codec = CODECS[OFFERINGS]
        return [codec.read(row) for row in self._out.run(f"SELECT {columns(codec)} FROM offerings")]

    def _age_prices(self) -> None:
        """Let the prices hold since long ago, as if the catalogue were that old: minutes before a price are free."""
        codec, aged = CODECS[PRICES], []
        for row in self._out.run(f"SELECT {columns(codec)} FROM prices"):
            prices = codec.read(row)
            since = Instant(self.now - 2 * 366 * DAY_US)
            old = msgspec.structs.replace(prices, changes=(PriceChange(since, prices.changes[-1].per_minute),))
            found = dict(zip(codec.columns, codec.values(old), strict=True))
            params = (found["changes"], old.region, old.type)
            self._out.run("UPDATE prices SET changes = ? WHERE region = ? AND type = ?", params)
            aged.append(old)
        self._record.priced(aged)

    def _tenants(self, others: int) -> list[Tenant]:
        """Return who owns instances: the first root account, and others, which are made where the store has too few."""
        root = self._root()
        text = (
            "SELECT a.id, min(u.id), a.time_zone FROM accounts a JOIN users u ON u.account_id = a.id "
            "WHERE a.id <> ? GROUP BY a.id, a.time_zone ORDER BY a.id LIMIT ?"
        )
        old = [Tenant(*found) for found in self._out.run(text, (root.account_id, others))]
        new = [Tenant(self._hex(), self._hex(), ZONE) for _ in range(others - len(old))]
        self._record.open_accounts(
            [
                (
                    Account(tenant.account_id, "tenant", tenant.time_zone, Micro(0), self.now),
                    User(tenant.user_id, tenant.account_id, "buyer", True, (), self.now),
                )
                for tenant in new
            ]
        )
        return [root, *old, *new]

    def _root(self) -> Tenant:
        ((user,),) = self._out.run("SELECT value FROM facts WHERE name = ?", (ROOT_USER,))
        text = (
            "SELECT u.account_id, u.id, a.time_zone FROM users u JOIN accounts a ON a.id = u.account_id WHERE u.id = ?"
        )
        (found,) = self._out.run(text, (user,))
        return Tenant(*found)

    def _hex(self) -> str:
        return f"{self._dice.getrandbits(128):032x}"

    def _unit_id(self) -> str:
        """Return an id as the service gives them: in runs that begin alike."""
        if self._drawn % UNIT_RUN == 0:
            self._run = "".join(self._dice.choices(_BASE62, k=UNIT_COMMON))
        self._drawn += 1
        rest = "".join(self._dice.choices(_BASE62, k=8 - UNIT_COMMON))
        return f"unit-{self._run}{rest}"

    def dice(self, low: int, high: int) -> int:
        """Throw a number, both ends included."""
        return self._dice.randint(low, high)

    def _tenant(self) -> Tenant:
        return self._dice.choices(self.tenants, cum_weights=self._tenant_shares)[0]

    def _unit(
        self, tenant: Tenant, timing: PaymentTiming, status: InstanceStatus, created_at: Instant, **more: Any
    ) -> Instance:
        dice = self._dice
        region, kind = dice.choices(self._places, cum_weights=self._place_shares)[0]
        return Instance(
            id=self._unit_id(),
            account_id=tenant.account_id,
            created_by=tenant.user_id,
            order_id=self._hex(),
            service_id=None,
            region=region,
            type=kind,
            count=dice.choices(list(COUNT_SHARES), weights=[*COUNT_SHARES.values()])[0],
            payment_timing=timing,
            status=status,
            created_at=created_at,
            started_at=created_at,
            meter_from=created_at if timing == "Postpaid" else None,
            term_from=created_at if timing == "Prepaid" else None,
            term_anchor=created_at if timing == "Prepaid" else None,
            **more,
        )

    def per_minute(self, unit: Instance) -> int:
        """Return what a minute of an instance costs."""
        return unit.count * (self.offerings[unit.offering].per_minute or 0)

    def pending(self, amount: int, *, ahead_us: int = FAR_US) -> Iterator[Sale]:
        """Sell running postpaid instances with a release and a charge that are days ahead; they are paid until then.

        A charge an hour ahead would have all of them charged in the middle of the measurement.
        """
        start = self.now - AGE_US
        for number in range(amount):
            created = Instant(start + AGE_US * number // amount)
            release, charge = (Instant(self.now + DAY_US + self.dice(0, ahead_us)) for _ in range(2))
            unit = self._unit(self._tenant(), "Postpaid", "Running", created, release_at=release, charge_at=charge)
            yield self._charged(unit, charge)

    def due(self, amount: int, first: Instant, *, every_us: int = 0, charge_at: Instant) -> Iterator[Sale]:
        """Sell running postpaid instances, not charged yet, that are to be released from a moment on."""
        for number in range(amount):
            created = Instant(first - 10 * MINUTE_US - self.dice(0, 15 * MINUTE_US))
            release = Instant(first + number * every_us)
            yield _sale(
                self._unit(self._tenant(), "Postpaid", "Running", created, release_at=release, charge_at=charge_at)
            )

    def released(self, amount: int) -> Iterator[Sale]:
        """Sell postpaid instances that are gone since."""
        start = self.now - AGE_US
        for number in range(amount):
            created = Instant(start + (AGE_US - DAY_US) * number // amount)
            end = Instant(created + self.dice(HOUR_US, DAY_US))
            unit = self._unit(
                self._tenant(),
                "Postpaid",
                "Released",
                created,
                release_at=end,
                ended_at=end,
                end_reason="Schedule",
                released_at=end,
            )
            yield self._charged(unit, end)

    def prepaid(self, amount: int, *, stopped: bool = False) -> Iterator[Sale]:
        """Sell prepaid instances: within their term, or stopped after it with their units kept."""
        for _ in range(amount):
            tenant = self._tenant()
            status: InstanceStatus = "Stopped" if stopped else "Running"
            months, age = (1, self.dice(32, 90) * DAY_US) if stopped else (12, self.dice(0, AGE_US))
            created = Instant(self.now - age)
            more: dict[str, Any] = {"term_months": months, "expires_at": add_months(created, months, tenant.time_zone)}
            if stopped:
                more["retire_at"] = Instant(self.now + FAR_US)
            unit = self._unit(tenant, "Prepaid", status, created, **more)
            price = Micro(unit.count * unit.term_months * (self.offerings[unit.offering].per_month or 0))
            sale = _sale(msgspec.structs.replace(unit, charged=price))
            paid = Posting(
                account_id=unit.account_id,
                at=created,
                kind="Purchase",
                debit=wallet(unit.account_id),
                credit=PREPAID_REVENUE,
                amount=price,
                order_id=unit.order_id,
                unit_id=unit.id,
                count=unit.count,
                price=self.offerings[unit.offering].per_month,
                since=created,
                until=unit.expires_at,
            )
            yield Sale(sale.unit, msgspec.structs.replace(sale.order, amount=price), (paid,))

    def _charged(self, unit: Instance, until: Instant) -> Sale:
        """Charge an instance once for all of its time, as the archive leaves it."""
        minutes = max(1, minutes_started(unit.created_at, until))
        amount = Micro(minutes * self.per_minute(unit))
        used = usage(unit, until, 0, minutes, self.offerings[unit.offering].per_minute)
        return _sale(
            msgspec.structs.replace(unit, metered_minutes=minutes, metered_peak=unit.count, charged=amount), used
        )

    def add(self, sales: Iterable[Sale]) -> int:
        """Write instances down, with all that belongs to them; returns how many there were."""
        added = 0
        source = iter(sales)
        while chunk := list(islice(source, CHUNK)):
            units = [sale.unit for sale in chunk]
            postings = [posting for sale in chunk for posting in sale.postings]
            self._insert_units(units)
            self._out.order([sale.order for sale in chunk])
            self._out.post(postings)
            self._record.sold(units, [sale.order for sale in chunk], postings)
            for posting in postings:
                self._spent[posting.account_id] = self._spent.get(posting.account_id, 0) + posting.amount
            for unit in units:
                if unit.reserved:
                    self._reserved[unit.offering] = self._reserved.get(unit.offering, 0) + unit.reserved
            self._out.commit()
            added += len(chunk)
        return added

    def tag(self, *, every: int = COMMON_EVERY) -> None:
        """Give live instances a common tag, and few of these a rare one, with their entries in the index.

        ``every``: how many instances there are for each one with the tag.
        """
        last = 0
        text = "SELECT seq, id, account_id FROM units WHERE seq > ? AND status <> 'Released' ORDER BY seq LIMIT ?"
        while found := self._out.run(text, (last, CHUNK)):
            last = found[-1][0]
            tagged = [(seq, _tags_of(seq, id_, account)) for seq, id_, account in found if not seq % every]
            if not tagged:
                continue
            self._insert(CODECS[RESOURCE_TAGS], [row for _, row in tagged])
            entries = [(row.account_id, row.kind, *tag, seq) for seq, row in tagged for tag in row.entries.items()]
            self._out.insert("tagged", "account_id, kind, key, value, seq", entries)
            self._record.tagged([row for _, row in tagged])
            self._out.commit()

    def post(self, postings: Sequence[Posting]) -> None:
        """Write charges of instances that were added without them."""
        self._out.post(postings)
        self._record.posted([*postings])
        for posting in postings:
            self._spent[posting.account_id] = self._spent.get(posting.account_id, 0) + posting.amount
        self._out.commit()

    def _insert_units(self, units: Sequence[Instance]) -> None:
        numbers = dict(self._out.run("SELECT account_id, seq FROM account_numbers"))
        codec = CODECS[INSTANCES]
        rows = [(*codec.values(unit), numbers[unit.account_id]) for unit in units]
        self._out.insert(codec.name, ", ".join(f'"{name}"' for name in (*codec.written, "account")), rows)

    def _insert(self, codec: Codec[Any], rows: Sequence[Any]) -> None:
        if rows:
            self._out.insert(codec.name, ", ".join(f'"{name}"' for name in codec.written), [*map(codec.values, rows)])

    def close(self, *, spare: int = 10**14) -> None:
        """Pay for everything, with something to spare for each account, and take reserved units out of the stock."""
        paid = [
            Posting(
                account_id=tenant.account_id,
                at=self.now,
                kind="TopUp",
                debit=FUNDING,
                credit=wallet(tenant.account_id),
                amount=Micro(self._spent.get(tenant.account_id, 0) + spare),
            )
            for tenant in self.tenants
        ]
        self.post(paid)
        self._spent.clear()
        for tenant in self.tenants:
            self._out.run("UPDATE accounts SET balance = balance + ? WHERE id = ?", (spare, tenant.account_id))
        for (region, kind), reserved in self._reserved.items():
            values = (reserved, region, kind)
            self._out.run("UPDATE offerings SET stock_total = stock_total + ? WHERE region = ? AND type = ?", values)
        self._reserved.clear()
        self._out.commit()


def _tags_of(seq: int, unit_id: str, account_id: str) -> ResourceTags:
    rare = {"stage": "rare"} if not seq % RARE_EVERY else {}
    return ResourceTags(unit_id, account_id, "unit", None, {**rare, "team": "common"})


def usage(unit: Instance, at: Instant, first: int, minutes: int, price: Micro | None) -> Posting:
    """Return the posting of a charge: of that number of minutes from the first on."""
    price = price or Micro(0)
    return Posting(
        account_id=unit.account_id,
        at=at,
        kind="Usage",
        debit=wallet(unit.account_id),
        credit=USAGE_REVENUE,
        amount=Micro(unit.count * minutes * price),
        unit_id=unit.id,
        minutes=minutes,
        count=unit.count,
        price=price,
        since=Instant((unit.meter_from or unit.created_at) + first * MINUTE_US),
    )


def _sale(unit: Instance, *postings: Posting) -> Sale:
    order = Order(
        id=unit.order_id,
        account_id=unit.account_id,
        kind="Purchase",
        unit_id=unit.id,
        payment_timing=unit.payment_timing,
        region=unit.region,
        type=unit.type,
        count=unit.count,
        months=unit.term_months,
        amount=Micro(0),
        created_at=unit.created_at,
        created_by=unit.created_by,
    )
    return Sale(unit, order, postings)
