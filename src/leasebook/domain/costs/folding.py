"""Adding postings to the sums of costs: which group a charge belongs to, and what it adds to which period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from leasebook.domain.costs.periods import end_of, start_of
from leasebook.domain.costs.rows import LEVELS, Alike, CostGroup, Level, Sums
from leasebook.domain.costs.spread import Spread, spreads_of
from leasebook.domain.record.ledger import Posting, wallet
from leasebook.domain.values.calendar import Instant

GROUPS_MAX: Final = 2_000
"""Groups of an account with service, project and tags of their own. All of them may be in each row of its sums."""


class Charge(NamedTuple):
    """Metered use of instances that are alike, charged at one moment: what left the account, in micro-units."""

    account_id: str
    at: Instant
    alike: Alike
    amount: int


class Payment(NamedTuple):
    """A payment in advance or the refund of one, and the number of its posting."""

    seq: int
    posting: Posting
    alike: Alike

    @property
    def charge(self) -> Charge:
        """The amount that it moved."""
        posting = self.posting
        return Charge(posting.account_id, posting.at, self.alike, -posting.effect_on(wallet(posting.account_id)))


class Part(NamedTuple):
    """An addition to the sums of one group in a period of an account."""

    account_id: str
    level: Level
    since: Instant
    group_id: str
    sums: Sums


class Folded(NamedTuple):
    """New groups, and what periods get: at most one part for each group of each period."""

    groups: list[CostGroup]
    parts: list[Part]


class Groups:
    """The groups of some accounts: those that are there, and those that charges add."""

    def __init__(self, known: Mapping[str, Iterable[str]], most: int) -> None:
        """``known`` has the ids of each account's groups; an account gets no further ones beyond ``most``."""
        self._known: Final = {account: set(ids) for account, ids in known.items()}
        self._most: Final = most
        self._found: dict[tuple[str, Alike], str] = {}
        self.new: Final[list[CostGroup]] = []

    def of(self, account_id: str, alike: Alike) -> str:
        """Return the id of the group of a charge; in an account with too many groups that of the rest."""
        found = self._found.get((account_id, alike))
        if found is None:
            found = self._found[account_id, alike] = self._group(account_id, alike)
        return found

    def _group(self, account_id: str, alike: Alike) -> str:
        known = self._known.setdefault(account_id, set())
        group = alike.group(account_id)
        if group.id not in known and len(known) >= self._most:
            # There is one for each kind, region, type and user, so these groups are bounded by other settings.
            group = alike.rest(account_id)
        if group.id not in known:
            known.add(group.id)
            self.new.append(group)
        return group.id


class Fold:
    """Collects what charges add to periods."""

    def __init__(self, groups: Groups, zones: Mapping[str, str], levels: Sequence[Level] = LEVELS) -> None:
        self._groups: Final = groups
        self._zones: Final = zones
        self._levels: Final = levels
        self._parts: dict[tuple[str, Level, Instant, str], Sums] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def charge(self, charge: Charge) -> None:
        """Add what was charged to the hour, the day and the month of the charge."""
        group_id, zone = self._groups.of(charge.account_id, charge.alike), self._zones[charge.account_id]
        for level in self._levels:
            key = (charge.account_id, level, start_of(level, charge.at, zone), group_id)
            self._parts[key] = self._parts.get(key, _NOTHING).plus(Sums(billed=charge.amount))

    def spread(self, account_id: str, alike: Alike, spread: Spread, *, sign: int = 1) -> None:
        """Add the parts of a payment in advance to the months that it is spread over."""
        group_id = self._groups.of(account_id, alike)
        for since, amount in months_of(spread, self._zones[account_id]):
            key: tuple[str, Level, Instant, str] = (account_id, "Month", since, group_id)
            self._parts[key] = self._parts.get(key, _NOTHING).plus(Sums(spread=sign * amount))

    def folded(self) -> Folded:
        """Return what was collected."""
        parts = [Part(*key, sums) for key, sums in sorted(self._parts.items()) if any(sums)]
        return Folded(self._groups.new, parts)


_NOTHING: Final = Sums()


def months_of(spread: Spread, zone_name: str) -> Iterator[tuple[Instant, int]]:
    """Yield the beginnings of the months that a payment is spread over, each with the month's part."""
    since = start_of("Month", spread.begin, zone_name)
    last = max(spread.begin, spread.end - 1, spread.refunded_at or 0)
    while since <= last:
        until = end_of("Month", since, zone_name)
        if part := spread.part(since, until):
            yield since, part
        since = until


def fold_payments(fold: Fold, payments: Iterable[Payment], earlier: Mapping[str, Sequence[Payment]]) -> None:
    """Add payments in advance and refunds, in the order of writing.

    ``earlier`` has, for each instance with a refund among them, all its payments before these: a refund takes back the
    parts of the payment that it ends.
    """
    by_unit: dict[str, list[Payment]] = {}
    for payment in payments:
        fold.charge(payment.charge)
        by_unit.setdefault(payment.posting.unit_id or "", []).append(payment)
    for unit_id, new in by_unit.items():
        if any(payment.posting.kind == "Refund" for payment in new):
            _fold_spreads(fold, earlier[unit_id], sign=-1)
            _fold_spreads(fold, [*earlier[unit_id], *new], sign=1)
        else:
            _fold_spreads(fold, new, sign=1)


def _fold_spreads(fold: Fold, payments: Sequence[Payment], *, sign: int) -> None:
    for payment, spread in spread_payments(payments):
        fold.spread(payment.posting.account_id, payment.alike, spread, sign=sign)


def spread_payments(payments: Sequence[Payment]) -> Iterator[tuple[Payment, Spread]]:
    """Yield an instance's payments in the order of writing, each with the time that it is spread over.

    Refunds are not among them, except those without a payment that they pay back.
    """
    alike = {id(payment.posting): payment for payment in payments}
    for spread in spreads_of(payment.posting for payment in payments):
        yield alike[id(spread.posting)], spread
