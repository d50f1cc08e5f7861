"""A removed offering whose stock followed an engine: no report of the engine brings it back, on every store."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.domain.commands.store.offering_end import CloseOffering, RemoveOffering
from leasebook.domain.values.refusal import WRONG_STATE
from tests.contract.stores import KINDS
from tests.reconciler.market import ROUTES, Market, trade


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_engine_brings_no_removed_offering_back_and_still_reports(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(4)
        hand = market.hand("one", world)
        await hand.look()
        await market.follow()
        closed: Any = await market.say(CloseOffering(region="bj", unit_type="gpu-1"))
        assert (closed.stock_total, closed.is_sold) == (4, False)
        world.units["gpu-1"] = 6
        await hand.look()
        assert market.stock() == (6, 6, 0)
        assert (await market.buy(1)).reason == WRONG_STATE
        assert await market.say(RemoveOffering(region="bj", unit_type="gpu-1", until="", routes=ROUTES)) is True
        assert "gpu-1" not in market.supply().stocks
        world.units["gpu-1"] = 9
        await hand.look()
        (row,) = [one for one in market.store.ask(lambda ask: ask.offerings(removed=True)) if one.region == "bj"]
        assert (row.stock_total, row.stock_free, row.stock_source) == (0, 0, "Set")
        assert all(one.region != "bj" for one in market.store.ask(lambda ask: ask.offerings()))
        # Made again, it can follow the engine, and reports count for it.
        assert (await market.offer(2)).is_sold
        assert (await market.follow()).stock_total == 9
        world.units["gpu-1"] = 3
        await hand.look()
        assert market.stock() == (3, 3, 0)

    trade(kind, scene)
