"""The invariants of the books after every step, computed in another way than the code does."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from leasebook.domain.book.tables import ACCOUNTS, APPROVALS, INSTANCES, OFFERINGS, QUOTES, SERVICES, TOKEN_PACKAGES
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.service import Shape
from leasebook.domain.record.agenda import agenda_of, approval_due
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules
from tests.simulation.memory_books import Books
from tests.simulation.meters import MINUTE

GONE: Final = ("Released", "CreateFailed")
ENDED: Final = ("Releasing", "Released")
UP: Final = ("Running", "Reconfiguring", "ReconfigureFailed", "BillingChanging")
HOUR: Final = 60 * MINUTE
BETWEEN_CHARGES: Final = 2 * HOUR
"""Full hours on the clocks of a zone are never so far apart, whatever is done to the clocks."""


def check_books(books: Books, rules: Rules, now: Instant, *, on_time: bool = True) -> None:
    """Raise AssertionError where the books are wrong. ``on_time``: nothing that is due by now is left."""
    _check_money(books)
    _check_orders(books)
    _check_stock(books)
    _check_services(books)
    _check_quotes(books)
    requests = filter(None, map(approval_due, books.table(APPROVALS)))
    assert books.agenda == sorted([*(due for unit in books.table(INSTANCES) for due in agenda_of(unit)), *requests])
    accounts = {account.id: account for account in books.table(ACCOUNTS)}
    for unit in books.table(INSTANCES):
        _check_life(unit)
        _check_payment(unit)
        _check_end(unit, rules, now)
        if on_time:
            _check_on_time(unit, now)
            _check_debt(unit, accounts[unit.account_id], rules, now)
    if on_time:
        assert all(due.at > now for due in books.agenda), "due work was left"


def _check_money(books: Books) -> None:
    ledger: Counter[str] = Counter()
    charged: Counter[str] = Counter()
    for posting in books.postings:
        wallet = f"wallet:{posting.account_id}"
        assert posting.amount > 0
        assert posting.debit != posting.credit
        assert wallet in (posting.debit, posting.credit)
        ledger[posting.debit] -= posting.amount
        ledger[posting.credit] += posting.amount
        if posting.unit_id is not None:
            charged[posting.unit_id] += posting.amount if posting.debit == wallet else -posting.amount
    assert sum(ledger.values()) == 0
    for account in books.table(ACCOUNTS):
        assert account.balance == ledger[f"wallet:{account.id}"], account
        assert (account.arrears_since is None) == (account.balance >= 0), account
    for unit in books.table(INSTANCES):
        assert unit.charged == charged.pop(unit.id, 0) >= 0, unit
    assert not charged, "money of instances that do not exist"


def _check_orders(books: Books) -> None:
    units = {unit.id: unit for unit in books.table(INSTANCES)}
    paid: Counter[str] = Counter()
    for posting in books.postings:
        assert (posting.order_id is None) == (posting.kind in ("TopUp", "Usage", "Refund")), posting
        if posting.order_id is not None:
            assert posting.order_id not in paid, f"paid twice: {posting}"
            paid[posting.order_id] = posting.amount
    assert len({order.id for order in books.orders}) == len(books.orders)
    for order in books.orders:
        unit = units[order.unit_id]
        assert (order.account_id, order.region, order.type) == (unit.account_id, unit.region, unit.type), order
        assert order.amount == paid.pop(order.id, 0), order
    assert not paid, "paid for no order"
    bought = Counter(order.unit_id for order in books.orders if order.kind == "Purchase")
    assert bought == Counter(list(units)), "every instance was bought by one order"
    first = {unit.id: unit.order_id for unit in units.values()}
    assert first == {order.unit_id: order.id for order in books.orders if order.kind == "Purchase"}


def _reserved(unit: Instance) -> int:
    return 0 if unit.status in GONE else max(unit.count, unit.target_count or 0)


def _check_stock(books: Books) -> None:
    reserved: Counter[tuple[str, str]] = Counter()
    for unit in books.table(INSTANCES):
        reserved[unit.region, unit.type] += _reserved(unit)
    for offering in books.table(OFFERINGS):
        assert offering.stock_free >= 0, offering
        assert offering.stock_free + reserved[offering.region, offering.type] == offering.stock_total >= 0, offering


def _check_services(books: Books) -> None:
    counted: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    services = {service.id: service for service in books.table(SERVICES)}
    for unit in books.table(INSTANCES):
        used = 0
        for placed in unit.placements:
            service = services[placed.service_id]
            assert service.account_id == unit.account_id, unit
            assert service.deleted_at is None, unit
            assert Shape(unit.type, placed.units_each) == service.shape, unit
            assert placed.replicas > 0, unit
            used += placed.replicas * placed.units_each
            sums = counted[placed.service_id]
            sums[0] += placed.replicas * (unit.status in UP)
            sums[1] += placed.replicas * (unit.status == "Creating")
            sums[2] += unit.payment_timing == "Prepaid"
            sums[3] += unit.payment_timing == "Postpaid"
        assert used <= min(unit.count, unit.target_count or unit.count), unit
        assert len({placed.service_id for placed in unit.placements}) == len(unit.placements), unit
        assert not unit.placements or unit.status not in (*GONE, *ENDED), unit
    for service in services.values():
        shown = [service.replicas, service.deploying, service.prepaid_units, service.postpaid_units]
        assert shown == counted[service.id], service


def _check_quotes(books: Books) -> None:
    units = {unit.id: unit for unit in books.table(INSTANCES)}
    used = [quote.used_by for quote in books.table(QUOTES) if quote.used_by is not None]
    assert len(set(used)) == len(used), "two quotes for one instance"
    for quote in books.table(QUOTES):
        if quote.used_by is not None:
            unit = units[quote.used_by]
            assert (unit.account_id, unit.region, unit.type) == (quote.account_id, quote.region, quote.type)
            assert quote.created_at <= unit.created_at < quote.expires_at, quote
    for package in books.table(TOKEN_PACKAGES):
        assert 0 <= package.used <= package.specification, package


def _check_life(unit: Instance) -> None:
    """The status and the payment timing of an instance determine which facts it has."""
    assert (unit.status == "CreateFailed") <= (unit.failure is not None), unit
    assert (unit.status == "ReconfigureFailed") <= (unit.failure is not None), unit
    assert (unit.status == "Stopped") == (unit.retire_at is not None), unit
    assert unit.resume_at is None or (unit.status == "Stopped" and unit.payment_timing == "Postpaid"), unit
    assert unit.stop_at is None or (unit.status in UP and unit.payment_timing == "Postpaid"), unit
    assert unit.renew_at is None or (unit.status in (*UP, "Stopped") and unit.auto_renew), unit
    assert unit.status != "BillingChanging" or not unit.auto_renew, unit
    if unit.status not in ENDED:
        assert (unit.status == "Reconfiguring") == (unit.target_count is not None), unit
    assert unit.resize_paid == 0 or unit.status == "Reconfiguring", unit
    assert unit.count > 0, unit
    assert (unit.started_at is None) <= (unit.status in ("Creating", "CreateFailed", *ENDED)), unit


def _check_payment(unit: Instance) -> None:
    is_up = unit.status in UP
    if unit.payment_timing == "Prepaid":
        assert (unit.meter_from, unit.charge_at, unit.metered_minutes, unit.release_at) == (None, None, 0, None), unit
        assert unit.term_months >= 0, unit
        assert not is_up or unit.expires_at is not None, unit
    else:
        assert (unit.expires_at, unit.term_from, unit.term_anchor, unit.term_months) == (None, None, None, 0), unit
        assert not unit.auto_renew, unit
        assert unit.status in ENDED or is_up == (unit.charge_at is not None), unit
        # A stopped instance keeps its meter: the minute in which it stopped is paid for.
        assert unit.status in ("Stopped", *ENDED) or is_up == (unit.meter_from is not None), unit
        assert unit.status != "BillingChanging", unit


def _check_end(unit: Instance, rules: Rules, now: Instant) -> None:
    ended = unit.status in ENDED
    assert ended == (unit.ended_at is not None) == (unit.end_reason is not None), unit
    assert (unit.status == "Released") == (unit.released_at is not None), unit
    if unit.ended_at is None:
        return
    assert unit.ended_at <= now, unit
    match unit.end_reason:
        case "Schedule":
            assert unit.ended_at == unit.release_at, unit
        case "User" | "Arrears":
            assert unit.payment_timing == "Postpaid", unit
            assert unit.release_at is None or unit.ended_at <= unit.release_at, unit
        case "Expiry":
            assert unit.payment_timing == "Prepaid", unit
            assert unit.expires_at is not None, unit
            assert unit.ended_at == unit.expires_at + rules.retention_us, unit


def _check_on_time(unit: Instance, now: Instant) -> None:
    if unit.status in ("Creating", "Stopped", *UP):
        assert unit.release_at is None or unit.release_at > now, f"missed: {unit}"
        assert unit.retire_at is None or unit.retire_at > now, f"missed: {unit}"
    if unit.status in UP:
        for due in (unit.expires_at, unit.charge_at, unit.renew_at, unit.stop_at):
            assert due is None or due > now, f"missed: {unit}"
    if unit.status in UP and unit.auto_renew:
        assert unit.renew_at is not None, f"not to be tried again: {unit}"


def _check_debt(unit: Instance, account: Account, rules: Rules, now: Instant) -> None:
    """Nothing runs on far beyond the grace of a debt, and nothing is stopped without one."""
    if unit.payment_timing != "Postpaid":
        return
    if unit.status == "Stopped":
        assert account.arrears_since is not None, f"it is stopped and nothing is owed: {unit}"
    if unit.status in UP and account.arrears_since is not None:
        assert unit.meter_from is not None
        seen = max(account.arrears_since, unit.meter_from) + BETWEEN_CHARGES
        assert now < max(seen, account.arrears_since + rules.arrears_grace_us), f"not stopped: {unit}"
