"""Lives: timed actions on instances, on the real core and on every store, and the postings that must follow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.identity import CreateAccount, NewKey
from leasebook.domain.commands.command import Command, Decision, Engine
from leasebook.domain.commands.instance.billing_switch import ChangeBilling
from leasebook.domain.commands.instance.purchase import Billing, BuyUnits, Purchase
from leasebook.domain.commands.instance.quote import QuoteUnits
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import Renew, Renewed, SetAutoRenew
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE, BootstrapStore
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import Offering
from leasebook.domain.record.ledger import PaymentTiming, Posting
from leasebook.domain.rules.statement import lines_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.queries.read_repository import HistoryFilter, UnitFilter
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.queries.read_repository import Queries
from leasebook.store.sqlite.store import SqliteStore
from leasebook.store.verify.check import check, check_directory
from tests.contract.stores import KINDS
from tests.life.reckoning import Entry, moment, total
from tests.simulation.office import StoreHarness
from tests.simulation.playing import sealing

MASTER_KEY: Final = b"k" * 32

ACCOUNT, USER = "acc-1", "user-1"
PLACE: Final = ("bj", "gpu-1")
PER_MINUTE, PER_MONTH = 500_000, 300_000_000
FOR_EVER: Final = Instant(2**62)
MANY: Final = 1_000_000


class BillingOracle:
    """An account with its instances, a clock that the test moves, and the postings that are expected."""

    def __init__(self, store: Any, office: StoreHarness, zone: str, now: int) -> None:
        self.store = store
        self.office = office
        self.zone = zone
        self.now = now
        self.expected: list[Entry] = []
        self._number = 0

    # --- time ---

    def moment(self, text: str) -> int:
        """Read a time on the account's clocks, or one that ends with Z."""
        return moment(text, self.zone)

    async def until(self, to: str | int) -> int:
        """Let time pass; returns that moment."""
        self.now = to if isinstance(to, int) else self.moment(to)
        await self.office.move(Instant(self.now))
        return self.now

    # --- actions of the account ---

    async def ask(self, command: Command) -> Any:
        """Have it decided now; returns the answer, and takes no refusal."""
        decided = await self.decided(command)
        assert decided.refusal is None, decided.refusal
        return decided.answer

    async def refused(self, command: Command) -> str:
        """Have it refused; returns the reason."""
        decided = await self.decided(command)
        assert decided.refusal is not None, decided.answer
        return decided.refusal.reason

    async def decided(self, command: Command) -> Decision:
        """Have it decided now."""
        (decided,) = await self.office.say([command], Instant(self.now))
        return decided

    async def offer(
        self,
        *,
        per_minute: int | None = None,
        per_month: int | None = None,
        place: tuple[str, str] = PLACE,
        **more: Any,
    ) -> None:
        """Set prices."""
        minute, month = (None if price is None else Micro(price) for price in (per_minute, per_month))
        region, unit_type = place
        await self.ask(SetOffering(region=region, unit_type=unit_type, per_minute=minute, per_month=month, **more))

    async def pay_in(self, amount: int) -> None:
        """Top up, and expect the posting."""
        await self.ask(TopUp(account_id=ACCOUNT, amount=Micro(amount)))
        self.expect(Entry(self.now, "TopUp", -amount))

    def buying(
        self, count: int = 1, *, quote: str | None = None, place: tuple[str, str] = PLACE, **billing: Any
    ) -> BuyUnits:
        """Return a purchase: prepaid where there are months."""
        self._number += 1
        timing: PaymentTiming = "Prepaid" if billing.get("months") else "Postpaid"
        purchase = Purchase(
            account_id=ACCOUNT,
            by=USER,
            unit_id=f"unit-{self._number}",
            order_id=f"order-{self._number}",
            billing=Billing(payment_timing=timing, **billing),
            quote_id=quote,
        )
        kind: Any = "TPM" if place[0] == "global" else "ComputingUnit"
        return BuyUnits(purchase=purchase, region=place[0], unit_type=place[1], count=count, kind=kind)

    async def buy(self, count: int = 1, **more: Any) -> str:
        """Buy; returns the instance."""
        return str((await self.ask(self.buying(count, **more))).unit_id)

    async def quote(self, count: int = 1, **billing: Any) -> str:
        """Have a price held; returns the quote."""
        asked = self.buying(count, **billing)
        name = f"quote-{self._number}"
        await self.ask(
            QuoteUnits(
                purchase=asked.purchase, region=asked.region, unit_type=asked.unit_type, count=count, quote_id=name
            )
        )
        return name

    def renewing(self, unit: str, months: int = 0, *, day: int | None = None) -> Renew:
        """Return a renewal by hand."""
        order = self._order()
        return Renew(account_id=ACCOUNT, by=USER, unit_id=unit, order_id=order, months=months, day=day)

    async def renew(self, unit: str, months: int = 0, *, day: int | None = None) -> int:
        """Renew by hand; returns the new end."""
        renewed: Renewed = await self.ask(self.renewing(unit, months, day=day))
        return renewed.expires_at

    async def rule(self, unit: str, months: int | None) -> None:
        """Set the auto-renew rule, or delete it."""
        await self.ask(SetAutoRenew(account_id=ACCOUNT, unit_id=unit, months=months))

    def resizing(self, unit: str, count: int) -> Resize:
        """Return a resize."""
        return Resize(account_id=ACCOUNT, by=USER, unit_id=unit, order_id=self._order(), count=count)

    async def resize(self, unit: str, count: int) -> None:
        """Let it have that many units."""
        await self.ask(self.resizing(unit, count))

    def billing_change(self, unit: str, timing: PaymentTiming, **more: Any) -> ChangeBilling:
        """Return a change of billing."""
        return ChangeBilling(
            account_id=ACCOUNT, by=USER, unit_id=unit, order_id=self._order(), payment_timing=timing, **more
        )

    async def turn(self, unit: str, timing: PaymentTiming, **more: Any) -> None:
        """Change how it is paid."""
        await self.ask(self.billing_change(unit, timing, **more))

    async def release(self, unit: str) -> None:
        """Release it now."""
        await self.ask(Release(account_id=ACCOUNT, unit_id=unit, service_id=None))

    async def schedule(self, unit: str, at: int, **more: Any) -> None:
        """Set its release time."""
        await self.ask(
            ScheduleRelease(account_id=ACCOUNT, unit_id=unit, service_id=None, release_at=Instant(at), **more)
        )

    def _order(self) -> str:
        self._number += 1
        return f"order-{self._number}"

    # --- what came of it ---

    def unit(self, unit_id: str) -> Instance:
        """Return an instance."""
        return cast("Instance", self.store.ask(lambda ask: ask.unit(unit_id)))

    @property
    def account(self) -> Account:
        """The account."""
        return cast("Account", self.store.ask(lambda ask: ask.account(ACCOUNT)))

    def free(self, place: tuple[str, str] = PLACE) -> int:
        """Return how many units of an offering are free."""
        rows: list[Offering] = self.store.ask(lambda ask: ask.offerings())
        return next(row.stock_free for row in rows if (row.region, row.type) == place)

    def expect(self, *entries: Entry) -> None:
        """Expect postings, in the order in which they come."""
        self.expected += entries

    def expect_term(
        self, kind: str, *, at: int, since: int, until: int, months: int, count: int = 1, price: int = PER_MONTH
    ) -> None:
        """Expect a term of whole months to be paid."""
        self.expect(Entry(at, kind, count * months * price, count, None, price, since, until))

    def postings(self) -> list[Posting]:
        """Return the account's postings, oldest first."""
        rows = self.store.ask(lambda ask: ask.postings(HistoryFilter(account_id=ACCOUNT), after=None, limit=MANY))
        return [one.row for one in reversed(rows)]

    def entries(self) -> list[Entry]:
        """Return the postings as they are to be compared."""
        return [
            Entry(row.at, row.kind, _leaves(row), row.count, row.minutes, row.price, row.since, row.until)
            for row in self.postings()
        ]

    def bill(self, unit_id: str) -> list[Posting]:
        """Return an instance's postings."""
        return cast("list[Posting]", self.store.ask(lambda ask: ask.bill(unit_id, Instant(0), FOR_EVER)))

    def close(self) -> None:
        """See that everything was posted as expected, and nothing else; and that statements come to the same."""
        found = self.entries()
        for number, (got, wanted) in enumerate(zip(found, self.expected, strict=False)):
            assert got == wanted, f"posting {number} of {len(found)}"
        assert len(found) == len(self.expected), (found[len(self.expected) :], self.expected[len(found) :])
        assert self.account.balance == -total(self.expected)
        units = {posting.unit_id for posting in self.postings()} - {None}
        lines = [line for unit in units for line in lines_of(self.bill(cast("str", unit)))]
        spent = [entry for entry in self.expected if entry.kind != "TopUp"]
        assert sum(line.amount for line in lines) == total(spent)
        assert sum(line.minutes or 0 for line in lines) == sum(entry.minutes or 0 for entry in spent)
        paid_in, charged = self.store.ask(lambda ask: ask.turnover(ACCOUNT, Instant(0), FOR_EVER))
        assert (paid_in, charged) == (total(spent) - total(self.expected), total(spent))
        for unit in cast("list[str]", sorted(str(unit) for unit in units)):
            assert self.unit(unit).charged == sum(map(_leaves, self.bill(unit)))
        held = sum(one.row.reserved for one in self.store.ask(lambda ask: ask.units(UnitFilter(account_id=ACCOUNT))))
        offerings = self.store.ask(lambda ask: ask.offerings())
        assert held == sum(row.stock_total - row.stock_free for row in offerings)


def _leaves(posting: Posting) -> int:
    return posting.amount if posting.debit == f"wallet:{ACCOUNT}" else -posting.amount


Scene = Callable[[BillingOracle], Awaitable[None]]


def play(
    kind: str,
    scene: Scene,
    *,
    start: str,
    zone: str = "Asia/Shanghai",
    funds: int = 10_000_000_000_000,
    rules: Rules | None = None,
    engine: Engine | None = None,
) -> None:
    """Play a life on a kind of store, from a moment on; and see at its end that everything came as expected."""

    async def whole(store: Any) -> None:
        now = Instant(moment(start, zone))
        office = StoreHarness(store, rules or Rules(), engine or InstantEngine(), audit_writer=sealing(MASTER_KEY))
        life = BillingOracle(store, office, zone, now)
        await office.say(opening(zone, now), now)
        await life.pay_in(funds)
        await scene(life)
        life.close()
        if kind != "memory":
            keys = AuditKeys(MASTER_KEY)
            findings = store.ask(lambda ask: check(cast("Queries", ask)._fetch, keys)).findings
            assert findings == [], findings
        if isinstance(store, SqliteStore):
            assert check_directory(store.path.parent).findings == []

    async def opened(opener: Callable[[], Any]) -> None:
        store = opener()
        if isinstance(store, SqliteStore):
            # A life is thousands of commits, and no power fails meanwhile.
            store._writer.connection.execute("PRAGMA synchronous = OFF")
        try:
            await whole(store)
        finally:
            await store.close()

    with KINDS[kind]() as opener:
        asyncio.run(opened(opener))


def opening(zone: str, now: Instant) -> Sequence[Command]:
    """Found the store, and sell units and quota."""
    root = CreateAccount(account_id=ACCOUNT, user_id=USER, name="acc", time_zone=zone, key=NewKey("key-1", b"sealed"))
    region, unit_type = PLACE
    return (
        BootstrapStore(facts={CLOCK_MODE: "virtual", VIRTUAL_NOW: str(now)}, root=root),
        SetOffering(
            region=region,
            unit_type=unit_type,
            per_minute=Micro(PER_MINUTE),
            per_month=Micro(PER_MONTH),
            stock_total=20,
        ),
    )


Play = Callable[..., None]
"""``play`` on one kind of store."""
