"""The witness of metered use: when each instance ran, with how many units, and what each minute must have cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.commands.command import Command, DueCommand
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.quote import Quote
from leasebook.domain.record.agenda import DueKind
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules
from tests.simulation.advance import Advance
from tests.simulation.invariants import UP
from tests.simulation.memory_books import Books
from tests.simulation.meters import MINUTE, Pin, Priced, QuotedSize, Run, charged_minutes
from tests.simulation.terms import local


class MeteredUse:
    """Follows the meter of each instance from commit to commit.

    ``accounts`` and ``quotes`` are those that the witness has seen so far: the accounts by id, the quotes by the
    instance that used them.
    """

    def __init__(
        self,
        rules: Rules,
        advance: Advance,
        accounts: Mapping[str, Account],
        quotes: Mapping[str, Quote],
        *,
        on_time: bool,
    ) -> None:
        self._rules = rules
        self._advance = advance
        self._accounts = accounts
        self._quotes = quotes
        self._on_time = on_time
        self._prices: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        self._runs: defaultdict[str, list[Run]] = defaultdict(list)
        self._quoted: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._charged_at: defaultdict[str, set[int]] = defaultdict(set)

    def see_price(self, offering: tuple[str, str], now: Instant, per_minute: int) -> None:
        """Take note of the price of an offering; it need not have changed."""
        prices = self._prices[offering]
        if not prices or prices[-1][1] != per_minute:
            prices.append((now, per_minute))

    def price_of(self, offering: tuple[str, str]) -> int | None:
        """Return the price of a minute now."""
        prices = self._prices[offering]
        return prices[-1][1] if prices else None

    def ended_at(self, unit_id: str) -> int | None:
        """Return when the last meter of an instance ended; None: it runs."""
        return self._runs[unit_id][-1].end

    def see(self, before: Instance | None, unit: Instance, now: Instant, command: Command) -> None:
        """Compare an instance with what it was before a commit."""
        if before is None:
            self._numbers[unit.id] = len(self._prices[unit.offering])
        runs, size = self._runs[unit.id], self._size(unit, now)
        is_open = bool(runs) and runs[-1].end is None
        meters = unit.status in UP and unit.payment_timing == "Postpaid"
        if isinstance(command, DueCommand) and command.due.kind is DueKind.CHARGE and meters:
            self._charged_at[unit.id].add(command.due.at)
        if is_open and not meters:
            self._charged_at[unit.id].add(now)
            self._end_meter(runs[-1], unit, now)
        elif meters and not is_open and runs and runs[-1].paid > now and before is not None:
            assert before.status == "Stopped", unit
            assert unit.meter_from == runs[-1].start, unit
            runs[-1].goes_on(size)
        elif meters and not is_open:
            assert unit.meter_from is not None
            assert unit.meter_from == now or not self._on_time, unit
            prices = self._prices[unit.offering]
            runs.append(Run(unit.meter_from, size._replace(at=unit.meter_from), self._pin(unit.id), len(prices)))
        elif meters and before is not None and before.count != unit.count:
            self._charged_at[unit.id].add(now)
            runs[-1].sizes.append(size)

    def _end_meter(self, run: Run, unit: Instance, now: Instant) -> None:
        if unit.payment_timing == "Prepaid":
            run.convert(now)
            assert unit.term_from == run.end, unit
            return
        run.end = self._meter_ended(unit)
        assert run.end == now or not self._on_time, unit
        self._charged_at[unit.id].add(run.end)
        assert run.minutes == unit.metered_minutes, unit

    def _size(self, unit: Instance, now: Instant) -> QuotedSize:
        """How many units it has, and how many of those it was bought with and never gave back."""
        quote = self._quotes.get(unit.id)
        if quote is None or quote.payment_timing == "Prepaid":
            return QuotedSize(now, unit.count)
        self._quoted[unit.id] = min(self._quoted.get(unit.id, quote.count), unit.count)
        return QuotedSize(now, unit.count, self._quoted[unit.id])

    def _meter_ended(self, unit: Instance) -> int:
        if unit.ended_at is not None:
            return unit.ended_at
        # Who resizes an instance whose stop is overdue pays until then, in the size that it had.
        return max((unit.retire_at or 0) - self._rules.retention_us, self._runs[unit.id][-1].sizes[-1].at)

    def _pin(self, unit_id: str) -> Pin | None:
        """Return the quoted price of a minute; a price that was quoted for a month says nothing about minutes."""
        quote = self._quotes.get(unit_id)
        if quote is None or quote.payment_timing == "Prepaid" or self._advance.was_prepaid(unit_id):
            return None
        return Pin(quote.price, self._numbers[unit_id])

    def check_bills(self, books: Books) -> None:
        """Price every metered minute of every instance by itself, from what was seen to happen."""
        usage: defaultdict[str, list[Posting]] = defaultdict(list)
        for posting in books.postings:
            if posting.kind == "Usage":
                usage[posting.unit_id or ""].append(posting)
        for unit in books.table(INSTANCES):
            runs = self._runs[unit.id]
            expected: dict[int, Priced] = {}
            for run in runs:
                minutes = unit.metered_minutes if run.end is None else run.minutes
                charged_at = max(self._charged_at[unit.id], default=0)
                for begins, cost in run.costs(minutes, self._prices[unit.offering], charged_at):
                    assert begins not in expected, f"charged twice: {unit}"
                    expected[begins] = cost
            assert charged_minutes(usage[unit.id]) == expected, unit
            self._check_hours(unit, usage[unit.id])

    def _check_hours(self, unit: Instance, usage: list[Posting]) -> None:
        """It is charged each full hour, and when something happens to it."""
        events = self._charged_at[unit.id]
        for posting in usage:
            shown = local(posting.at, self._accounts[posting.account_id].time_zone)
            full = (shown.minute, shown.second, shown.microsecond) == (0, 0, 0)
            assert full or posting.at in events, f"charged in between: {posting}"

    def check_metered(self, books: Books, now: Instant) -> None:
        """Every minute before the last full hour is charged, and none that has not begun."""
        for unit in books.table(INSTANCES):
            run = self._runs[unit.id][-1] if self._runs[unit.id] else None
            if run is None or run.end is not None:
                continue
            shown = local(now, self._accounts[unit.account_id].time_zone)
            hour = now - (shown.minute * 60 + shown.second) * 1_000_000 - shown.microsecond
            if local(hour, self._accounts[unit.account_id].time_zone).utcoffset() != shown.utcoffset():
                continue  # clocks were changed since then, and perhaps showed no full hour
            least, most = (max(0, -((run.start - at) // MINUTE)) for at in (hour, now))
            assert least <= unit.metered_minutes <= most, unit
