"""The oracle of prepaid amounts: every term, renewal, resize and refund, each worked out a second time."""

from __future__ import annotations

from collections import Counter
from typing import Final

from leasebook.domain.commands.command import Command, DueCommand
from leasebook.domain.commands.instance.renewal import Renew
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import DueKind
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.rule_settings import Rules
from tests.simulation.terms import OwnTerm, begun, months_between, renewed, rest_price, whole_price

DAY: Final = 86_400_000_000
TRIES: Final = (7, 3, 1, 0)
FAILURES: Final = (("Creating", "CreateFailed"), ("Reconfiguring", "ReconfigureFailed"))


class Advance:
    """Follows every instance that is prepaid; each commit is of one command, at its own moment."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._terms: dict[str, OwnTerm] = {}
        self._since: dict[str, int] = {}
        self._prepaid: set[str] = set()
        self._refundable: Counter[str] = Counter()

    def was_prepaid(self, unit_id: str) -> bool:
        """Whether it has ever been prepaid."""
        return unit_id in self._prepaid

    def renewal_price(self, unit_id: str, months: int, reserved: int, price: int | None) -> int | None:
        """The price of renewing an instance; None: it is not sold by the month."""
        term = self._terms[unit_id]
        longer = renewed(term, months, None)
        return None if price is None else whole_price(reserved, price, months_between(term, longer))

    def see(
        self,
        before: Instance | None,
        unit: Instance,
        postings: list[Posting],
        command: Command,
        now: int,
        zone: str,
        price: int | None,
        quoted: int | None,
        begins: int,
    ) -> None:
        """Work out what the commit must have cost, and compare; ``begins`` is when a term does that begins in it."""
        paid = Counter({posting.kind: posting.amount for posting in postings if posting.kind != "Usage"})
        expected: Counter[str] = Counter()
        if before is None:
            expected["Purchase"] = self._bought(unit, price if quoted is None else quoted)
        elif (before.status, unit.status) in FAILURES:
            expected["Refund"] = self._refundable.pop(unit.id, 0)
        elif before.payment_timing == "Postpaid" and unit.payment_timing == "Prepaid":
            assert price is not None
            expected["Conversion"] = unit.count * price * unit.term_months
            self._begin(unit, begins, zone)
        elif before.expires_at != unit.expires_at and before.expires_at and unit.expires_at:
            expected["Renewal"] = self._renewed(before, unit, command, now, price)
        elif isinstance(command, Resize) and unit.payment_timing == "Prepaid" and command.count != before.count:
            expected["Resize"] = self._resized(before, command, now, price)
        assert +paid == +expected, f"{paid} and not {expected}: {before} {unit}"
        started = unit.started_at is not None and (before is None or before.started_at is None)
        if started and unit.payment_timing == "Prepaid":
            self._begin(unit, begins, zone)
        if unit.status not in ("Creating", "Reconfiguring"):
            self._refundable.pop(unit.id, None)
        if unit.payment_timing == "Prepaid" and unit.expires_at is not None:
            assert unit.expires_at == self._terms[unit.id].ends, unit
            assert unit.term_from == self._since[unit.id], unit

    def _bought(self, unit: Instance, price: int | None) -> int:
        if unit.payment_timing == "Postpaid":
            return 0
        self._prepaid.add(unit.id)
        assert price is not None
        self._refundable[unit.id] = unit.count * price * unit.term_months
        return self._refundable[unit.id]

    def _begin(self, unit: Instance, now: int, zone: str) -> None:
        self._prepaid.add(unit.id)
        self._terms[unit.id] = begun(now, unit.term_months, zone)
        self._since[unit.id] = now

    def _renewed(self, before: Instance, unit: Instance, command: Command, now: int, price: int | None) -> int:
        assert price is not None
        term = self._terms[unit.id]
        if isinstance(command, DueCommand):
            assert command.due.kind is DueKind.RENEW
            late = now > term.ends and (now - term.ends) % DAY == 0
            assert late or now in {term.ends - days * DAY for days in TRIES}, f"renewed at another time: {unit}"
            assert before.auto_renew
            longer = renewed(term, before.auto_renew_months, None)
        elif not isinstance(command, Renew):
            # Money has come, or a rule: what could not be paid at its first try is made up for.
            assert unit.auto_renew
            assert now >= term.ends - max(TRIES) * DAY, f"renewed before its first try: {unit}"
            longer = renewed(term, unit.auto_renew_months, None)
        else:
            longer = renewed(term, command.months, command.day)
        self._terms[unit.id] = longer
        months = months_between(term, longer)
        reserved = max(before.count, before.target_count or 0)
        cost = whole_price(reserved, price, months)
        if before.status == "Reconfiguring":
            # If the engine cannot resize it, the renewal was only for what there is.
            self._refundable[unit.id] += cost - whole_price(before.count, price, months)
        return cost

    def _resized(self, before: Instance, command: Resize, now: int, price: int | None) -> int:
        assert price is not None
        added = command.count - before.count
        self._refundable[before.id] = rest_price(self._terms[before.id], self._since[before.id], now, added, price)
        return self._refundable[before.id]
