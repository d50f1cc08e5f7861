"""Sees every commit of a history, and knows what must not happen from one to the next, and what it must cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, OFFERINGS, QUOTES
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Command, Decision, Engine
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import LEGAL, Instance, InstanceStatus
from leasebook.domain.model.quote import Quote
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import TOKEN_MISMATCH
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.simulation.advance import Advance
from tests.simulation.memory_books import Books
from tests.simulation.metered_use import MeteredUse

Hop = tuple[InstanceStatus | None, InstanceStatus]

UNDECIDED: Final = ("bad_value", "denied")
"""Refusals that a client token does not keep: what was malformed or not permitted was never decided."""
PASSED: Final[tuple[InstanceStatus, ...]] = ("Creating", "Reconfiguring", "Releasing")
"""An instance passes through these unseen where its engine confirms at once."""
LONGEST: Final = 1200
"""A term has no more months."""
FINAL: Final = ("Released", "CreateFailed")


class Witness:
    """Called after every commit of one command; ``on_time``: each piece of due work is done at its own moment."""

    def __init__(self, rules: Rules, engine: Engine, *, on_time: bool = True) -> None:
        self.hops: set[Hop] = set()
        """Every change of status that was seen."""
        self.paths: defaultdict[str, list[InstanceStatus]] = defaultdict(list)
        """The statuses that each instance was seen in."""
        self._rules = rules
        self._passed = PASSED if isinstance(engine, InstantEngine) else ()
        self._on_time = on_time
        self._units: dict[str, Instance] = {}
        self._accounts: dict[str, Account] = {}
        self._by_month: dict[tuple[str, str], int] = {}
        self._quotes: dict[str, Quote] = {}
        self._placed: set[tuple[str, str]] = set()
        self._advance = Advance(rules)
        self._use = MeteredUse(rules, self._advance, self._accounts, self._quotes, on_time=on_time)
        self._answers: dict[tuple[str, str], tuple[str, Decision]] = {}

    def committed(self, changes: Changes, now: Instant, commands: Sequence[Command]) -> None:
        """Compare a commit with those before it."""
        for rows in (changes.inserted, changes.updated):
            for account in rows.get(ACCOUNTS, ()):
                self._see_account(account, changes, now)
            for offering in rows.get(OFFERINGS, ()):
                if offering.per_minute is not None:
                    self._use.see_price((offering.region, offering.type), now, offering.per_minute)
                if offering.per_month is not None:
                    self._by_month[offering.region, offering.type] = offering.per_month
            for quote in rows.get(QUOTES, ()):
                if quote.used_by is not None:
                    used = [other.id for other in self._quotes.values()]
                    assert quote.id not in used, f"used twice: {quote}"
                    self._quotes[quote.used_by] = quote
        for rows in (changes.inserted, changes.updated):
            for unit in rows.get(INSTANCES, ()):
                self._see_unit(unit, changes.postings, now, commands)
        if self._on_time and any(isinstance(command, TopUp) for command in commands):
            self._see_none_waits()
        assert self._placed >= set(changes.placed_gone)
        self._placed -= set(changes.placed_gone)
        assert not self._placed & set(changes.placed_new)
        self._placed |= set(changes.placed_new)

    def _see_none_waits(self) -> None:
        """Where money has come, no term that is over waits for a renewal that the balance pays."""
        for unit in self._units.values():
            if unit.status == "Stopped" and unit.auto_renew:
                cost = self._advance.renewal_price(
                    unit.id, unit.auto_renew_months, unit.count, self._by_month.get(unit.offering)
                )
                longest = unit.term_months + unit.auto_renew_months > LONGEST
                assert cost is None or cost > self._accounts[unit.account_id].balance or longest, f"it waits: {unit}"

    def _see_account(self, account: Account, changes: Changes, now: Instant) -> None:
        before = self._accounts.get(account.id)
        self._accounts[account.id] = account
        if account.balance >= 0:
            return
        if before is not None and before.balance < 0:
            assert account.arrears_since == before.arrears_since, "the debt began once"
        elif self._on_time:
            assert account.arrears_since == now
        spent = [posting.kind for posting in changes.postings if posting.debit == f"wallet:{account.id}"]
        assert set(spent) <= {"Usage"}, f"{spent} made debts"

    def _see_unit(self, unit: Instance, postings: list[Posting], now: Instant, commands: Sequence[Command]) -> None:
        before = self._units.get(unit.id)
        self._units[unit.id] = unit
        self._see_status(before, unit)
        own = [posting for posting in postings if posting.unit_id == unit.id]
        if before is not None:
            # None twice: a Released instance is never touched again, and a Releasing one only becomes Released.
            assert before.status not in FINAL, f"touched after its end: {before} {unit}"
            if before.status == "Releasing":
                assert unit.status == "Released"
                ends = [(row.ended_at, row.end_reason, row.charged, row.metered_minutes) for row in (before, unit)]
                assert ends[0] == ends[1], f"ended twice: {before} {unit}"
            assert unit.charged >= before.charged or [posting.kind for posting in own] == ["Refund"], own
            if unit.ended_at is not None and before.ended_at is None:
                self._see_end(before, unit, now)
            if unit.status == "Stopped" and before.status != "Stopped":
                self._see_stop(before, unit, now)
        (command,) = commands
        self._use.see(before, unit, now, command)
        if self._on_time:
            zone = self._accounts[unit.account_id].time_zone
            price = self._by_month.get(unit.offering)
            quote = self._quotes.get(unit.id)
            was_postpaid = before is not None and before.payment_timing == "Postpaid"
            begins = self._use.ended_at(unit.id) if was_postpaid and unit.payment_timing == "Prepaid" else now
            assert begins is not None
            quoted = None if quote is None else quote.price
            self._advance.see(before, unit, own, command, now, zone, price, quoted, begins)

    def _see_status(self, before: Instance | None, unit: Instance) -> None:
        start, end = None if before is None else before.status, unit.status
        if start == end:
            return
        self.paths[unit.id].append(end)
        for way in ((), *((middle,) for middle in self._passed)):
            stations = (start, *way, end)
            hops = set(pairwise(stations))
            if hops <= LEGAL:
                self.hops |= hops  # type: ignore[arg-type]
                return
        raise AssertionError(f"no way from {start} to {end}: {before} {unit}")

    def _see_end(self, before: Instance, unit: Instance, now: Instant) -> None:
        """Never early: what ends it had come before this commit."""
        if unit.end_reason == "Schedule":
            assert before.release_at is not None
            assert before.release_at <= now, f"early: {before} {unit}"
        elif unit.end_reason in ("Expiry", "Arrears"):
            assert before.status == "Stopped", f"early: {before} {unit}"
            assert before.retire_at is not None
            assert before.retire_at <= now, f"early: {before} {unit}"
            if self._on_time:
                assert before.retire_at == now

    def _see_stop(self, before: Instance, unit: Instance, now: Instant) -> None:
        """Never early: its term was over, or its account was in debt for the whole grace."""
        account = self._accounts[unit.account_id]
        stopped_at = (unit.retire_at or 0) - self._rules.retention_us
        assert stopped_at == now or (stopped_at < now and not self._on_time), unit
        if unit.payment_timing == "Postpaid":
            assert account.arrears_since is not None, f"it owes nothing: {unit}"
            assert account.arrears_since + self._rules.arrears_grace_us <= stopped_at, f"early: {unit}"
            return
        assert before.expires_at == unit.expires_at == stopped_at, f"early: {before} {unit}"
        if self._on_time and before.auto_renew:
            price, held = self._by_month.get(unit.offering), max(before.count, before.target_count or 0)
            cost = self._advance.renewal_price(unit.id, before.auto_renew_months, held, price)
            longest = before.term_months + before.auto_renew_months > LONGEST
            assert cost is None or cost > account.balance or longest, f"it could have been renewed: {before}"
        if self._on_time and before.status == "BillingChanging":
            price = self._use.price_of(unit.offering)
            least = self._rules.postpaid_balance_min
            assert price is None or account.balance < (unit.count * price * 60 if least is None else least), before

    def check_bills(self, books: Books) -> None:
        """Price every metered minute by itself, and find services by where they are placed."""
        self._use.check_bills(books)
        assert self._placed == {
            (placed.service_id, unit.id) for unit in books.table(INSTANCES) for placed in unit.placements
        }, "services are not found by where they are placed"

    def check_metered(self, books: Books, now: Instant) -> None:
        """Every minute before the last full hour is charged, and none that has not begun."""
        self._use.check_metered(books, now)

    # --- answers ---------------------------------------------------------------------------------------------

    def answered(self, command: Command, decided: Decision) -> bool:
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
