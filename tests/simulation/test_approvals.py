"""Any order of asking, approving, rejecting, changed limits and passing time leaves requests as their rules say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.tables import ACCOUNT_LIMITS, APPROVALS, IDEMPOTENCY_RECORDS, INSTANCES, USERS
from leasebook.domain.commands.account.approval import ApprovePurchase, RejectPurchase, command_of
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.identity import CreateAccount, CreateUser, NewKey
from leasebook.domain.commands.account.limits import SetGuardRails
from leasebook.domain.commands.command import Command, Decision
from leasebook.domain.commands.instance.purchase import Billing, BuyUnits, Purchase
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE, BootstrapStore
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.rules.limits_change import GuardChange
from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant, parse_time
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import APPROVAL
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.queries.read_repository import EventFilter
from tests.depth import few
from tests.simulation.invariants import check_books
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness

START: Final = parse_time("2030-01-15T09:30:00Z", "UTC")
RULES: Final = Rules(
    time_zone="UTC", approval_keep_us=72 * HOUR_US, approval_remind_us=(DAY_US, HOUR_US), bounds={"approvals": 3}
)
MONTH: Final = Instant(parse_time("2030-01-01T00:00:00Z", "UTC"))
BUYERS: Final = frozenset({"buys"})
ENDS: Final = {"approval.approved": "Approved", "approval.rejected": "Rejected", "approval.lapsed": "Lapsed"}
LIMITS: Final = (
    None,
    ApprovalLimit(units={"*": 2}),
    ApprovalLimit(units={"gpu-1": 1}, self_approval=True, lapse_us=HOUR_US),
    ApprovalLimit(months=0, release_us=HOUR_US, lapse_us=30 * HOUR_US),
)


class ApprovalStep(NamedTuple):
    """A step of a history: its kind, and a number that it reads as it likes."""

    kind: str
    number: int
    by: str


KINDS: Final = (
    *("ask", "ask", "ask", "wait", "wait", "wait", "approve", "approve"),
    *("again", "resize", "reject", "limit", "price"),
)
STEPS: Final = st.lists(
    st.builds(
        ApprovalStep,
        st.sampled_from(KINDS),
        st.integers(0, 11),
        st.sampled_from(("owner", "buyer", "buyer", "other")),
    ),
    min_size=10,
    max_size=25,
)


class ApprovalDesk:
    """An account with three users, and the commands that steps stand for."""

    def __init__(self, *, twice: bool) -> None:
        self.store = MemoryStore()
        self.harness = StoreHarness(self.store, RULES, InstantEngine(), twice=twice)
        self.now = START
        self.made = 0
        self.asked: list[BuyUnits] = []

    async def open(self) -> None:
        """Found the store, with money, a stock, and users who may buy."""
        root = CreateAccount(
            account_id="acc", user_id="owner", name="acc", time_zone="UTC", key=NewKey("key-owner", b"sealed")
        )
        users = [CreateUser(account_id="acc", user_id=name, name=name) for name in ("buyer", "other")]
        await self.say(BootstrapStore(facts={CLOCK_MODE: "virtual", VIRTUAL_NOW: str(START)}, root=root))
        for command in (*users, self.offering(500_000), TopUp(account_id="acc", amount=Micro(2_000_000_000))):
            await self.say(command)

        rows = self.store.rows[USERS]
        for key in list(rows):
            rows[key] = msgspec.structs.replace(rows[key], policies=tuple(BUYERS))

    @staticmethod
    def offering(price: int) -> SetOffering:
        """Sell 9 units at a price."""
        return SetOffering(
            region="bj", unit_type="gpu-1", per_minute=Micro(price), per_month=Micro(200 * price), stock_total=9
        )

    @staticmethod
    def limit(number: int) -> SetGuardRails:
        """Set one of the limits."""
        limit = LIMITS[number % len(LIMITS)]
        return SetGuardRails(account_id="acc", change=GuardChange(needs_approval=limit), month_began=MONTH)

    async def say(self, command: Command) -> Decision:
        """Have a command decided now."""
        (decided,) = await self.harness.say([command], self.now)
        return decided

    def requests(self) -> list[Approval]:
        """Return all requests, in the order in which they were made."""
        return list(self.store.rows[APPROVALS].values())

    def command(self, step: ApprovalStep) -> Command | None:
        """Return the command of a step; None: there is nothing for it to act on."""
        rows, number = self.requests(), step.number
        match step.kind:
            case "ask":
                self.made += 1
                months = number % 3
                lead = HOUR_US * (1 + 5 * number)
                billing = (
                    Billing(payment_timing="Prepaid", months=months)
                    if months
                    else Billing(payment_timing="Postpaid", release_at=Instant(self.now + lead))
                )
                purchase = Purchase(
                    account_id="acc", by=step.by, unit_id=f"unit-{self.made}", order_id=f"o{self.made}", billing=billing
                )
                token = IdempotencyKey("acc", f"token-{self.made}", "digest")
                self.asked.append(
                    BuyUnits(
                        token=token, by=step.by, purchase=purchase, region="bj", unit_type="gpu-1", count=1 + number % 4
                    )
                )
                return self.asked[-1]
            case "again" if self.asked:
                return self.asked[number % len(self.asked)]
            case "resize" if units := [row for row in self.store.rows[INSTANCES].values() if row.status == "Running"]:
                self.made += 1
                unit = units[number % len(units)]
                return Resize(
                    account_id="acc", by=step.by, unit_id=unit.id, order_id=f"o{self.made}", count=1 + number % 5
                )
            case "approve" if rows:
                row = rows[-1 - number % len(rows)]
                return ApprovePurchase(
                    account_id="acc",
                    approval_id=row.id,
                    by=step.by,
                    does=command_of(row),
                    client_token=row.token,
                    buyers=BUYERS,
                )
            case "reject" if rows:
                row = rows[-1 - number % len(rows)]
                return RejectPurchase(account_id="acc", approval_id=row.id, by=step.by, reason="Not now.")
            case "limit":
                return self.limit(number)
            case "price":
                return self.offering(400_000 + 50_000 * number)
            case _:
                return None


@settings(max_examples=few(10, 60), deadline=None)
@given(STEPS, st.integers(1, len(LIMITS) - 1), st.booleans())
async def test_any_order_of_events_keeps_every_request_to_its_rules(
    steps: Sequence[ApprovalStep],
    limit: int,
    twice: bool,  # noqa: FBT001
) -> None:
    office = ApprovalDesk(twice=twice)
    await office.open()
    await office.say(office.limit(limit))
    for step in steps:
        if step.kind == "wait":
            office.now = Instant(office.now + (step.number + 1) ** 2 * HOUR_US // 2)
            await office.harness.move(office.now)
        elif (command := office.command(step)) is not None:
            before = {row.id: row for row in office.requests()}
            decided = await office.say(command)
            check_decision(office, command, decided, before)
        check_books(office.store.books(), RULES, office.now)
        check_requests(office)


def check_decision(office: ApprovalDesk, command: Command, decided: Decision, before: dict[str, Approval]) -> None:
    """Check that a decision changed the requests that it may change, and no others."""
    after = {row.id: row for row in office.requests()}
    changed = {name for name in after if after[name] != before.get(name)}
    if isinstance(command, ApprovePurchase | RejectPurchase):
        was = before[command.approval_id]
        assert changed == ({was.id} if decided.refusal is None else set())
        assert decided.refusal is not None or was.status == "Open"
        if isinstance(command, ApprovePurchase) and decided.refusal is None:
            assert command.by != was.asked_by or was.self_approval
            kept = office.store.rows[IDEMPOTENCY_RECORDS].get(("acc", str(was.token)))
            assert was.token is None or (kept is not None and not kept.refused)
    elif decided.refusal is not None and decided.refusal.reason == APPROVAL and changed:
        (name,) = changed
        assert name not in before
        assert name in decided.refusal.message
    else:
        assert not changed


def check_requests(office: ApprovalDesk) -> None:
    """Check every request against its order, its events, the limits and the agenda."""
    rows = office.requests()
    guard = office.store.rows[ACCOUNT_LIMITS].get(("acc",))
    waiting = [row for row in rows if row.status == "Open"]
    assert len(waiting) == (0 if guard is None else guard.waiting) <= RULES.bounds["approvals"]
    assert all(office.now < row.lapses_at for row in waiting)
    orders = {order.id: order for order in office.store.orders}
    for row in rows:
        order = orders.get(row.id.removeprefix("apr-"))
        assert (order is None) is (row.status != "Approved")
        if order is not None:
            assert (order.created_by, order.created_at, order.count) == (row.asked_by, row.decided_at, row.count)
    found = office.store.ask(
        lambda ask: ask.events(EventFilter(account_id="acc"), after=None, limit=10_000, oldest_first=True)
    )
    said: Counter[tuple[str, str]] = Counter()
    reminded: Counter[tuple[str, int]] = Counter()
    for _, event in found:
        if event.type.startswith("approval."):
            said[event.data["approvalId"], event.type] += 1
            if event.type == "approval.reminder":
                reminded[event.data["approvalId"], event.at] += 1
    for row in rows:
        ends = {ENDS[kind]: count for (name, kind), count in said.items() if name == row.id and kind in ENDS}
        assert ends == ({} if row.status == "Open" else {row.status: 1})
        assert said[row.id, "approval.asked"] == 1
    assert all(count == 1 for count in reminded.values())
    spans = {(row.id, row.lapses_at - span) for row in rows for span in RULES.approval_remind_us}
    assert set(reminded) <= spans
    units: dict[str, Any] = {row.order_id: row for row in office.store.rows[INSTANCES].values()}
    for row in rows:
        if row.status == "Approved" and row.deed == "units":
            assert units[str(row.order_id)].created_by == row.asked_by
    assert msgspec.json.decode(msgspec.json.encode(rows), type=list[Approval]) == rows
