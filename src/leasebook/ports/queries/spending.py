"""Queries about what an account's instances cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.resource_tags import ResourceTags


class Spent(NamedTuple):
    """An instance that cost something in a period.

    ``bill`` are its postings in the period, ``terms`` its payments in advance and their refunds before the end of the
    period, both in the order of writing. ``tags`` None: it has neither a name nor a tag.
    """

    unit: Instance
    tags: ResourceTags | None
    bill: list[Posting]
    terms: list[Posting]


class Spender(NamedTuple):
    """An instance that cost something in a period.

    ``charges`` is the number of its postings in the period; ``prepaid``: a payment in advance or a refund is among
    them, or a term reaches into the period.
    """

    unit_id: str
    prepaid: bool
    charges: int


class SpendingQuestions(Protocol):
    """Queries about costs, answered from committed rows."""

    def spenders(self, account_id: str, since: Instant, until: Instant, *, after: str, limit: int) -> list[Spender]:
        """Return the instances with postings in a period, or with a paid term that reaches into it, by their ids."""
        ...

    def charged(self, unit: Instance) -> Micro:
        """Return what an instance was charged in all; to a caller with a policy for projects, in these projects."""
        ...

    def terms(self, unit_id: str, until: Instant) -> list[Posting]:
        """Return the advance payments of an instance and their refunds before an instant, in the order of writing."""
        ...

    def spending(self, account_id: str, since: Instant, until: Instant, *, with_bills: bool = True) -> Iterator[Spent]:
        """Yield an account's instances that cost something in a period, by their ids.

        An instance has a cost if it has a posting in the period, or a term paid in advance that reaches into it. A
        hundred instances are in memory at once, and fewer where their bills are long. Without ``with_bills``, all bills
        are empty, and are not read.
        """
        ...
