"""What must hold of the books after every step, said in other words than the code says it."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import Final

from leasehold.commands.command import Command, Decided
from leasehold.domain.agenda import agenda_of
from leasehold.domain.book import ACCOUNTS, OFFERINGS, SERVICES, UNITS, Changes
from leasehold.domain.calendar import Instant, to_datetime
from leasehold.domain.refusal import TOKEN_MISMATCH
from leasehold.domain.rules import Rules
from leasehold.domain.unit import Unit
from tests.simulation.memory_store import Books

MINUTE: Final = 60_000_000
LIVE: Final = ("Creating", "Running", "Stopped")
STAGES: Final = ("Creating", "Running", "Stopped", "Releasing", "Released")
"""An instance goes through some of these, in this order, and never back."""

UNDECIDED: Final = ("bad_value", "denied")
"""Refusals that a client token does not keep: what was malformed or not permitted was never decided."""


def check_books(books: Books, rules: Rules, now: Instant, *, on_time: bool = True) -> None:
    """Raise AssertionError where the books are wrong. ``on_time``: nothing that is due by now is left."""
    _check_money(books)
    _check_stock(books)
    _check_services(books)
    _check_agenda(books)
    for unit in books.table(UNITS):
        _check_end(unit, rules, now)
        _check_bill(unit)
        if on_time:
            _check_on_time(unit, now)
    if on_time:
        assert all(due.at > now for due in books.agenda), "due work was left"


def _check_money(books: Books) -> None:
    ledger: Counter[str] = Counter()
    charged: Counter[str] = Counter()
    for posting in books.postings:
        assert posting.amount > 0
        assert posting.debit != posting.credit
        assert f"wallet:{posting.account_id}" in (posting.debit, posting.credit)
        ledger[posting.debit] -= posting.amount
        ledger[posting.credit] += posting.amount
        if posting.unit_id is not None:
            charged[posting.unit_id] += posting.amount
    assert sum(ledger.values()) == 0
    for account in books.table(ACCOUNTS):
        assert account.balance == ledger[f"wallet:{account.id}"], account
    units = books.table(UNITS)
    assert {unit.id: unit.charged for unit in units if unit.charged} == +charged
    bought = Counter(order.unit_id for order in books.orders)
    assert bought == Counter(unit.id for unit in units), "every instance was bought by one order"
    prepaid = {order.unit_id: order.amount for order in books.orders if order.payment_timing == "Prepaid"}
    assert prepaid == {unit.id: unit.charged for unit in units if unit.payment_timing == "Prepaid"}


def _check_stock(books: Books) -> None:
    held: Counter[tuple[str, str]] = Counter()
    for unit in books.table(UNITS):
        if unit.status not in ("Released", "CreateFailed"):
            held[unit.region, unit.type] += unit.count
    for offering in books.table(OFFERINGS):
        assert offering.stock_free >= 0, offering
        assert offering.stock_free + held[offering.region, offering.type] == offering.stock_total >= 0, offering


def _check_services(books: Books) -> None:
    running: Counter[str] = Counter()
    for unit in books.table(UNITS):
        if unit.service_id is not None and unit.status in ("Creating", "Running"):
            running[unit.service_id] += unit.replicas
    for service in books.table(SERVICES):
        assert service.replicas == running[service.id], service


def _check_agenda(books: Books) -> None:
    assert books.agenda == sorted(due for unit in books.table(UNITS) for due in agenda_of(unit))


def _check_end(unit: Unit, rules: Rules, now: Instant) -> None:
    ended = unit.status in ("Releasing", "Released")
    assert ended == (unit.ended_at is not None) == (unit.end_reason is not None), unit
    assert (unit.status == "Released") == (unit.released_at is not None), unit
    if unit.ended_at is None:
        return
    assert unit.ended_at <= now, unit
    match unit.end_reason:
        case "Schedule":
            assert unit.ended_at == unit.release_at, unit
        case "User":
            assert unit.payment_timing == "Postpaid", unit
            assert unit.release_at is None or unit.ended_at <= unit.release_at, unit
        case "Expiry":
            assert unit.payment_timing == "Prepaid", unit
            assert unit.expires_at is not None, unit
            assert unit.ended_at == unit.expires_at + rules.retention_us, unit


def _check_bill(unit: Unit) -> None:
    if unit.payment_timing == "Prepaid" or unit.started_at is None:
        assert unit.metered_minutes == 0, unit
    elif unit.ended_at is not None:
        used = max(0, unit.ended_at - unit.started_at)
        assert unit.metered_minutes == (used + MINUTE - 1) // MINUTE, unit


def _check_on_time(unit: Unit, now: Instant) -> None:
    if unit.status in LIVE:
        assert unit.release_at is None or unit.release_at > now, f"missed: {unit}"
        assert unit.retire_at is None or unit.retire_at > now, f"missed: {unit}"
    if unit.status == "Running":
        end, charge = (unit.expires_at, unit.charge_at) if unit.payment_timing == "Prepaid" else (None, unit.charge_at)
        assert end is None or end > now, f"missed: {unit}"
        assert charge is None or charge > now, f"missed: {unit}"


class Witness:
    """Sees every commit, and knows what must not happen from one to the next."""

    def __init__(self) -> None:
        self._units: dict[str, Unit] = {}
        self._prices: defaultdict[tuple[str, str], list[tuple[Instant, int]]] = defaultdict(list)
        self._last_charge: dict[str, Instant] = {}
        self._answers: dict[tuple[str, str], tuple[str, Decided]] = {}

    def committed(self, changes: Changes, now: Instant) -> None:
        """Compare a commit with those before it."""
        for rows in (changes.inserted, changes.updated):
            for unit in rows.get(UNITS, ()):
                self._see_unit(unit, now)
            for offering in rows.get(OFFERINGS, ()):
                prices = self._prices[offering.region, offering.type]
                if offering.per_minute is not None and (not prices or prices[-1][1] != offering.per_minute):
                    prices.append((now, offering.per_minute))
        for posting in changes.postings:
            if posting.kind == "Usage":
                assert posting.unit_id is not None
                # Each charge is later than the one before: no moment is charged twice, the last one included.
                assert posting.at > self._last_charge.get(posting.unit_id, 0), posting
                self._last_charge[posting.unit_id] = posting.at
                assert posting.minutes is not None
                assert posting.minutes > 0

    def _see_unit(self, unit: Unit, now: Instant) -> None:
        before = self._units.get(unit.id)
        self._units[unit.id] = unit
        stage = STAGES.index(unit.status)
        if before is None:
            return
        # None twice: what is Released is never touched again, and what is Releasing only becomes Released.
        assert before.status != "Released", f"touched after its release: {before} {unit}"
        assert stage >= STAGES.index(before.status), f"back in time: {before} {unit}"
        if before.status == "Releasing":
            assert unit.status == "Released"
            ends = [(row.ended_at, row.end_reason, row.charged, row.metered_minutes) for row in (before, unit)]
            assert ends[0] == ends[1], f"ended twice: {before} {unit}"
        assert unit.charged >= before.charged
        assert unit.metered_minutes >= before.metered_minutes
        if unit.ended_at is not None and before.ended_at is None and unit.end_reason == "Schedule":
            # Never early: the schedule that it had before this commit had come.
            assert before.release_at is not None
            assert before.release_at <= now, f"early: {before} {unit}"

    def answered(self, command: Command, decided: Decided) -> bool:
        """Compare an answer with the one that its token has had before; returns whether nothing may have changed."""
        token = command.token
        if token is not None:
            first = self._answers.get((token.account_id, token.value))
            if first is not None and first[0] == token.digest:
                assert decided == first[1], "the same request has another answer now"
                return True
            if first is not None:
                assert decided.refusal is not None
                assert decided.refusal.reason == TOKEN_MISMATCH
                return True
            if decided.refusal is None or decided.refusal.reason not in UNDECIDED:
                self._answers[token.account_id, token.value] = token.digest, decided
        return decided.refusal is not None

    def check_bills(self, books: Books) -> None:
        """Price every metered minute of every instance by itself, from the prices that were seen to change."""
        units: dict[str, Unit] = {unit.id: unit for unit in books.table(UNITS)}
        for unit in units.values():
            if unit.payment_timing == "Postpaid":
                assert unit.charged == unit.count * self._cost(unit), unit
        zones = {account.id: account.time_zone for account in books.table(ACCOUNTS)}
        for posting in books.postings:
            if posting.kind == "Usage" and posting.at != units[posting.unit_id or ""].ended_at:
                shown = to_datetime(posting.at, zones[posting.account_id])
                assert (shown.minute, shown.second, shown.microsecond) == (0, 0, 0), "charged each full hour"

    def _cost(self, unit: Unit) -> int:
        cost = price = 0
        coming = deque(self._prices[unit.region, unit.type])
        for minute in range(unit.metered_minutes):
            begins = (unit.started_at or 0) + minute * MINUTE
            while coming and coming[0][0] <= begins:
                price = coming.popleft()[1]
            cost += price
        return cost
