"""A server that waited for its rows, or stood still before it asked for them, decides as of afterwards."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from leasebook.batch import BatchLimits, Sequencer
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import Needed
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from tests.life.lives import ACCOUNT, PER_MONTH, BillingOracle, opening
from tests.life.test_moving import START, ZONE, Sizes
from tests.simulation.memory_store import MemoryStore, MemoryTransaction
from tests.simulation.office import StoreHarness

WAITED = 4 * SECOND_US


class SlowTransaction(MemoryTransaction):
    """Of a store that keeps the time for several servers, and in which rows are waited for."""

    time = START

    def now(self) -> Instant | None:
        return self.time

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        await super().load(needs, book)
        self.time = Instant(START + WAITED)


class SlowStore(MemoryStore):
    """Begins these transactions."""

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:  # noqa: ARG002
        assert self.open is None
        self.open = SlowTransaction(self)
        return self.open


async def test_a_moment_that_passed_while_rows_were_waited_for_has_passed() -> None:
    """Else who gave up, and was refused by another server meanwhile, would have bought all the same."""
    store = SlowStore()
    office = StoreHarness(store, Rules(), InstantEngine())
    life = BillingOracle(store, office, ZONE, START)
    await office.say([*opening(ZONE, START), TopUp(account_id=ACCOUNT, amount=Micro(PER_MONTH))], START)
    sequencer = Sequencer(
        store, VirtualClock(START), Rules(), engine=InstantEngine(), limits=BatchLimits(), meter=Sizes()
    )
    sequencer.start()
    with pytest.raises(Refusal):
        await sequencer.submit(life.buying(1, release_at=Instant(START + WAITED - SECOND_US)))
    bought = await sequencer.submit(life.buying(1, release_at=Instant(START + WAITED + SECOND_US)))
    assert life.unit(bought.unit_id).created_at == START + WAITED
    await sequencer.close()
