"""Queries about the sums of costs, and about the postings that are not yet part of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.costs.folding import Charge, Payment
from leasebook.domain.costs.rows import CostGroup, CostPeriod, Level
from leasebook.domain.model.account import Account
from leasebook.domain.values.calendar import Instant


class PostingEdge(NamedTuple):
    """The number of the last posting that can be seen, and what it takes to know that none before it is still to come.

    Servers number their postings before they commit them. Once ``over`` of a later edge is ``begun`` of this one or
    greater, every transaction that was under way here is over.
    """

    last: int
    begun: int
    over: int


class Span(NamedTuple):
    """Postings after one number, up to and including another."""

    after: int
    until: int


class MonthMoney(NamedTuple):
    """An account's money in a calendar month, in micro-units.

    ``opening`` is its balance when the month begins, ``paid_in`` the sum of top-ups, ``charged`` what was charged less
    refunds.
    """

    opening: int
    paid_in: int
    charged: int


class CostQuestions(Protocol):
    """Queries about costs, answered from committed rows."""

    def at_one_instant(self) -> AbstractContextManager[None]:
        """Have all queries in a block see the same rows."""
        ...

    def costs_within(self) -> Projects | None:
        """Return the projects to which answers about costs are confined, by their public ids; None: they are not.

        The other queries about costs are not confined: a refund takes back a payment of whichever project.
        """
        ...

    def costs_summed(self) -> int:
        """Return the number of the last posting that is part of the sums; 0: none is."""
        ...

    def posting_edge(self) -> PostingEdge:
        """Return where the postings end now."""
        ...

    def postings_after(self, number: int, limit: int) -> int | None:
        """Return the number of the last of the next ``limit`` postings after a number; None: there is none."""
        ...

    def charges(
        self, span: Span, account_id: str | None = None, since: Instant | None = None, until: Instant | None = None
    ) -> list[Charge]:
        """Return metered use, alike charges of one moment in one; with an account, only its own."""
        ...

    def charged_in_month(self, account: Account, since: Instant, until: Instant) -> int:
        """Return the charges less refunds of a calendar month on the account's clocks, in micro-units."""
        ...

    def month_money(self, account: Account, since: Instant, until: Instant) -> MonthMoney:
        """Return an account's balance when a calendar month on its clocks begins, and the month's sums."""
        ...

    def payments(self, span: Span, account_id: str | None = None) -> list[Payment]:
        """Return payments in advance and refunds in the order of writing; with an account, only its own."""
        ...

    def payments_of(self, unit_ids: Sequence[str], until: int) -> dict[str, list[Payment]]:
        """Return the payments in advance and refunds of instances up to a number, in the order of writing."""
        ...

    def payments_reaching(self, account_id: str, since: Instant, until: Instant) -> Iterator[list[Payment]]:
        """Yield, for each instance with a paid term or a refund in a span, all its payments and refunds before the end.

        Instances that were paid only after the span, or for a time before it, are left out.
        """
        ...

    def cost_groups(self, account_id: str) -> dict[str, CostGroup]:
        """Return an account's groups of charges by id."""
        ...

    def cost_group_ids(self, account_ids: Collection[str]) -> dict[str, set[str]]:
        """Return the ids of the groups of some accounts."""
        ...

    def cost_periods(self, account_id: str, level: Level, since: Instant, until: Instant) -> list[CostPeriod]:
        """Return an account's sums by hour, day or month that begin in a span, oldest first."""
        ...

    def zones_of(self, account_ids: Collection[str]) -> dict[str, str]:
        """Return the time zones of accounts."""
        ...
