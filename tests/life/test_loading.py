"""In how many steps a batch asks for its rows: each is a round trip, in which it holds those of the steps before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from leasebook.batch import load
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import (
    ChargedTags,
    KeysOfUser,
    Needed,
    OfferingsOfType,
    SuspendedInstances,
    UsageTotals,
    WholeAccount,
)
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS, INSTANCES, TABLES, Table
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.release import Release
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.life.lives import ACCOUNT, PER_MONTH, BillingOracle, opening
from tests.life.test_moving import START, ZONE
from tests.simulation.memory_store import MemoryStore, MemoryTransaction
from tests.simulation.office import StoreHarness


class Watched(MemoryTransaction):
    """Takes note of what it is asked for."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.steps: list[set[Table[Any]]] = []

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        wanted = list(needs)
        special = OfferingsOfType | SuspendedInstances | UsageTotals | KeysOfUser | WholeAccount | ChargedTags | Asked
        self.steps.append({need[0] for need in wanted if not isinstance(need, special)})
        await super().load(wanted, book)


def token(number: int) -> IdempotencyKey:
    return IdempotencyKey(ACCOUNT, f"token-{number}", "digest")


@pytest.mark.parametrize("kind", ["purchases", "purchases and a release"])
async def test_a_client_token_takes_no_step_of_its_own(kind: str) -> None:
    store = MemoryStore()
    office = StoreHarness(store, Rules(), InstantEngine())
    await office.say(opening(ZONE, START), START)
    life = BillingOracle(store, office, ZONE, START)
    await life.pay_in(PER_MONTH)
    commands: list[Command] = [msgspec.structs.replace(life.buying(1), token=token(number)) for number in range(3)]
    if kind != "purchases":
        unit_id = await life.buy()
        commands.append(Release(token=token(3), account_id=ACCOUNT, unit_id=unit_id, service_id=None))
    steps, book = await steps_of(store, commands)
    assert len(steps) == (1 if kind == "purchases" else 2)
    # Locks are taken in one order: tokens come before all that is asked for with them, and after.
    assert IDEMPOTENCY_RECORDS in steps[0]
    assert TABLES.index(IDEMPOTENCY_RECORDS) < TABLES.index(INSTANCES)
    for command in commands:
        assert command.token is not None
        assert book.get(IDEMPOTENCY_RECORDS, ACCOUNT, command.token.value) is None


async def steps_of(store: MemoryStore, commands: Sequence[Command]) -> tuple[list[set[Table[Any]]], Book]:
    asked = Watched(store)
    return asked.steps, await load(asked, commands)
