"""Stock that follows an engine, and stock that is set and compared with one, on every store."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.store.engine_capacity import ReportSupply
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.engine_capacity import UNBOUNDED, CapacityReport
from leasebook.domain.replicas.engine_route import Route
from leasebook.domain.values.calendar import DAY_US, SECOND_US
from leasebook.domain.values.refusal import STOCK, Refusal
from tests.contract.stores import KINDS, postgres
from tests.reconciler.acts import ACCOUNT, USER, founding
from tests.reconciler.market import ROUTES, TIMING, Market, burst, trade

STORES = pytest.mark.parametrize("kind", list(KINDS))
BUYERS, MOST = 64, 20


def reason(answer: Any) -> str | None:
    return answer.reason if isinstance(answer, Refusal) else None


def resizing(number: int, count: int) -> Resize:
    return Resize(account_id=ACCOUNT, by=USER, unit_id=f"unit-{number}", order_id=f"more-{number}-{count}", count=count)


# --- following an engine ---------------------------------------------------------------------------------


@STORES
def test_stock_that_follows_an_engine_grows_with_it_and_is_sold_at_once(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(4)
        hand = market.hand("one", world)
        await hand.look()
        assert market.stock() == (12, 12, 0), "stock set by hand stays as it was set"
        answer = await market.follow()
        assert (answer.stock_source, answer.stock_total, answer.stock_free) == ("Engine", 4, 4)
        await market.buy(4)
        assert reason(await market.buy(1)) == STOCK
        world.units["gpu-1"] = 6
        await hand.look()
        assert market.stock() == (6, 2, 0)
        assert reason(await market.say(resizing(1, 7))) == STOCK
        assert reason(await market.say(resizing(1, 6))) is None
        assert market.stock() == (6, 0, 0)

    trade(kind, scene)


@STORES
def test_what_is_sold_stays_sold_where_an_engine_shrinks_below_it_and_nothing_more_is_sold_until_it_fits(
    kind: str,
) -> None:
    async def scene(market: Market) -> None:
        world = market.world(8)
        hand = market.hand("one", world)
        await hand.look()
        await market.follow()
        for count in (3, 2, 3):
            await market.buy(count)
        world.units["gpu-1"] = 4
        await hand.look()
        assert market.stock() == (4, 0, 4)
        assert market.supply().stocks["gpu-1"].oversold == 4
        assert reason(await market.buy(1)) == STOCK
        assert reason(await market.say(resizing(2, 3))) == STOCK
        await market.release(1)
        assert market.stock() == (4, 0, 1), "three came back, and none of them is there"
        assert reason(await market.buy(1)) == STOCK
        await market.release(2)
        assert market.stock() == (4, 1, 0)
        await hand.look()
        assert reason(await market.buy(1)) is None
        assert reason(await market.buy(1)) == STOCK
        assert market.stock_events() == [("Differs", 4, 0), ("Fits", 0, 0), ("Differs", 0, 4), ("Fits", 0, 0)]

    trade(kind, scene)


@STORES
def test_an_engine_that_has_lost_a_type_has_none_of_it(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(8)
        hand = market.hand("one", world)
        await hand.look()
        await market.follow()
        del world.units["gpu-1"]
        await hand.look()
        assert market.stock() == (0, 0, 0)

    trade(kind, scene)


@STORES
def test_an_engine_that_cannot_be_asked_changes_nothing_and_its_last_word_grows_old(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(8)
        hand = market.hand("one", world)
        await hand.look()
        await market.follow()
        await market.buy(3)
        seen_at = market.supply().seen_at
        world.cut(until=float("inf"))
        world.units["gpu-1"] = 1
        for _ in range(3):
            market.time.seconds += 7200
            await hand.look()
        assert market.stock() == (8, 5, 0)
        assert reason(await market.buy(5)) is None
        (word,) = market.supply().words
        assert (word.units, word.seen_at) == ({"gpu-1": 8}, seen_at)
        assert word.trouble == "The fake engine is cut off."
        assert word.trouble_since == seen_at + 7200 * SECOND_US if seen_at else False
        world.mend()
        await hand.look()
        (word,) = market.supply().words
        assert (word.units, word.trouble, word.trouble_since) == ({"gpu-1": 1}, None, None)
        assert market.stock() == (1, 0, 7)

    trade(kind, scene)


@STORES
def test_an_engine_that_could_never_be_asked_is_no_source(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(8)
        world.cut(until=float("inf"))
        hand = market.hand("one", world)
        assert "has not said yet what it has" in str(await market.follow())
        await hand.look()
        assert "has not said yet what it has" in str(await market.follow())
        assert market.stock() == (12, 12, 0)
        assert market.stock_events() == []

    trade(kind, scene)


@STORES
def test_buyers_in_a_burst_get_exactly_what_the_engine_has(kind: str) -> None:
    async def scene(market: Market) -> None:
        hand = market.hand("one", market.world(MOST))
        await hand.look()
        await market.follow()
        outcomes, _ = await asyncio.gather(burst(market, [market.sequencer], BUYERS), hand.look())
        assert outcomes == {"bought": MOST, STOCK: BUYERS - MOST}
        assert market.stock() == (MOST, 0, 0)

    trade(kind, scene)


async def test_buyers_in_a_burst_on_three_servers_get_exactly_what_the_engine_has_while_it_shrinks_and_grows() -> None:
    with postgres() as opened:

        async def scene() -> None:
            market = Market(opened())
            for command in founding():
                await market.sequencer.submit(command)
            world = market.world(MOST)
            hand = market.hand("one", world)
            await hand.look()
            await market.follow()
            stores = [opened(), opened()]
            sellers = [market.sequencer, *map(market.seller, stores)]

            async def wobble() -> None:
                for units in (0, MOST, 5, MOST):
                    world.units["gpu-1"] = units
                    await hand.look()

            outcomes, _ = await asyncio.gather(burst(market, sellers, BUYERS), wobble())
            assert outcomes["bought"] + outcomes[STOCK] == BUYERS
            assert outcomes["bought"] <= MOST
            rest = await burst(market, sellers, BUYERS)
            assert outcomes["bought"] + rest.get("bought", 0) == MOST
            assert market.stock() == (MOST, 0, 0)
            for seller in sellers:
                await seller.close()
            for store in (market.store, *stores):
                await store.close()

        await scene()


# --- whose word counts -----------------------------------------------------------------------------------


@STORES
def test_what_several_nodes_have_adds_up_and_a_node_that_is_gone_for_long_does_not_count(kind: str) -> None:
    async def scene(market: Market) -> None:
        one = market.hand("one", market.world(8), node="node-1", local=True)
        two = market.hand("two", market.world(4), node="node-2", local=True)
        await one.look()
        await market.follow()
        assert market.stock() == (8, 8, 0)
        await two.look()
        assert market.stock() == (12, 12, 0)
        await market.buy(10)
        for _ in range(59):
            market.time.seconds += TIMING.gone_s / 60
            await one.look()
        assert market.stock() == (12, 2, 0), "it may be back soon"
        for _ in range(3):
            market.time.seconds += TIMING.gone_s / 60
            await one.look()
        assert market.stock() == (8, 0, 2), "sold units stay sold"
        gone = market.supply().word("node-2")
        assert gone is not None
        assert gone.gone_since is not None
        two.world.cut()
        await two.look()
        assert market.stock() == (8, 0, 2), "its worker is back, and its units are unknown"
        two.world.mend()
        await two.look()
        assert market.stock() == (12, 2, 0), "it is back"
        market.time.seconds += TIMING.gone_s * 2
        await one.look()
        assert market.stock() == (12, 2, 0), "a beat that moved since is a sign of life"

    trade(kind, scene)


@STORES
def test_what_a_node_said_is_forgotten_a_day_after_it_stopped_to_count(kind: str) -> None:
    async def scene(market: Market) -> None:
        one = market.hand("one", market.world(8), node="node-1", local=True)
        await market.hand("two", market.world(4), node="node-2", local=True).look()
        await one.look()
        market.time.seconds += TIMING.gone_s + 1
        await one.look()
        assert [word.node for word in market.supply().words] == ["node-1", "node-2"]
        market.time.seconds += DAY_US / SECOND_US
        await one.look()
        assert [word.node for word in market.supply().words] == ["node-1"]

    trade(kind, scene)


@STORES
def test_of_a_shared_engine_one_workers_word_counts_until_that_worker_is_dead(kind: str) -> None:
    async def scene(market: Market) -> None:
        one = market.hand("one", market.world(8))
        two = market.hand("two", market.world(5))
        await one.look()
        await market.follow()
        await two.look()
        assert market.stock() == (8, 8, 0), "nothing adds up, and no report comes in between"
        market.time.seconds += TIMING.lease_s + 1
        await one.look()
        await two.look()
        assert market.stock() == (8, 8, 0), "its beat moved"
        market.time.seconds += TIMING.lease_s + 1
        await two.look()
        assert market.stock() == (5, 5, 0)
        assert [(word.node, word.holder) for word in market.supply().words] == [("", "two")]
        await one.look()
        assert market.stock() == (5, 5, 0), "it was away for too long, and the other one lives"

    trade(kind, scene)


@STORES
def test_a_word_that_relies_on_a_death_that_was_none_does_not_count(kind: str) -> None:
    async def scene(market: Market) -> None:
        one = market.hand("one", market.world(8))
        await one.look()
        await one.look()
        word = CapacityReport("", "two", {"gpu-1": 3}, market.time.wall())
        report = ReportSupply(
            engine="fake", word=word, routes=ROUTES, notify_account_id=None, types=("gpu-1",), dead=(("one", 1),)
        )
        assert await market.say(report) is False
        assert market.supply().has("gpu-1") == 8
        assert await market.say(msgspec.structs.replace(report, dead=(("one", 2),))) is True
        assert market.supply().has("gpu-1") == 3

    trade(kind, scene)


@STORES
def test_a_word_that_knows_nothing_of_a_type_that_is_offered_meanwhile_does_not_count(kind: str) -> None:
    async def scene(market: Market) -> None:
        await market.hand("one", market.world(8)).look()
        await market.follow()
        word = CapacityReport("", "one", {"gpu-1": 3}, market.time.wall())
        report = ReportSupply(engine="fake", word=word, routes=ROUTES, notify_account_id=None, types=())
        assert await market.say(report) is False
        assert (market.supply().has("gpu-1"), market.stock()) == (8, (8, 8, 0))

    trade(kind, scene)


@STORES
def test_who_is_alone_on_a_store_knows_that_every_other_node_is_gone(kind: str) -> None:
    async def scene(market: Market) -> None:
        await market.hand("one", market.world(8), node="old-name", local=True).look()
        await market.follow()
        await market.hand("two", market.world(6), node="new-name", local=True, alone=True).look()
        assert market.stock() == (6, 6, 0)

    trade(kind, scene)


# --- several regions -------------------------------------------------------------------------------------


@STORES
def test_what_is_set_by_hand_for_other_regions_comes_off_what_is_left_for_the_one_that_follows(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(10)
        hand = market.hand("one", world)
        await hand.look()
        await market.offer(3, "bd")
        assert (await market.follow()).stock_total == 7
        await market.offer(4, "bd")
        assert market.stock("bj") == (6, 6, 0)
        await market.offer(11, "bd")
        assert market.stock("bj") == (0, 0, 0)
        assert market.supply().stocks["gpu-1"].difference == 1
        await market.offer(0, "bd")
        assert market.stock("bj") == (10, 10, 0)
        refusal = await market.follow("bd")
        assert "gpu-1 in bj takes its stock from the engine fake already" in str(refusal)
        assert refusal.field == "stockSource"
        assert market.offering("bd").stock_source == "Set"
        assert (await market.offer(2, "bj")).stock_source == "Set"
        assert (await market.follow("bd")).stock_total == 8

    trade(kind, scene)


# --- set by hand -----------------------------------------------------------------------------------------


@STORES
def test_a_difference_is_an_event_when_it_appears_when_it_changes_and_when_it_ends(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(12)
        hand = market.hand("one", world)
        with capture_logs() as lines:
            await hand.look()
            for units in (9, 9, 7, 7, 12, 12):
                world.units["gpu-1"] = units
                for _ in range(3):
                    market.time.seconds += TIMING.count_s
                    await hand.look()
            assert market.stock_events() == [("Differs", 3, 0), ("Differs", 5, 0), ("Fits", 0, 0)]
            await market.offer(13)
            await market.offer(12)
        assert market.stock_events()[3:] == [("Differs", 1, 0), ("Fits", 0, 0)]
        said = [(one["event"], one["offered"], one["has"]) for one in lines if "engine has" in one["event"]]
        differs, fits = "stock is not what the engine has", "stock is what the engine has again"
        assert said == [(differs, 12, 9), (differs, 12, 7), (fits, 12, 12), (differs, 13, 12), (fits, 12, 12)]
        assert market.stock() == (12, 12, 0)

    trade(kind, scene)


@STORES
def test_what_stays_as_it_is_is_written_down_once_a_minute_so_that_its_age_is_known(kind: str) -> None:
    async def scene(market: Market) -> None:
        hand = market.hand("one", market.world(8))
        await hand.look()
        before = market.commits.number
        for _ in range(30):
            market.time.seconds += TIMING.count_s
            await hand.taker.look()
        assert market.commits.number - before == 30 * TIMING.count_s / TIMING.count_keep_s
        assert market.supply().seen_at == market.time.wall()

    trade(kind, scene)


@STORES
def test_both_numbers_are_metrics(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(8)
        hand = market.hand("one", world)
        await hand.look()
        await market.buy(10)
        await hand.look()
        page = market.metrics.render()[0].decode()
        for name, value in (("offered", 12), ("engine", 8), ("oversold", 2)):
            assert f'leasebook_stock_{name}_units{{engine="fake",type="gpu-1"}} {value}.0\n' in page
        world.units["gpu-1"] = UNBOUNDED
        await hand.look()
        assert "leasebook_stock_engine_units{" not in market.metrics.render()[0].decode()

    trade(kind, scene)


# --- what cannot be a source -----------------------------------------------------------------------------


@STORES
def test_an_engine_without_a_bound_is_no_source_and_no_difference(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(UNBOUNDED)
        hand = market.hand("one", world)
        await hand.look()
        assert "has no bound for gpu-1" in str(await market.follow())
        world.units["gpu-1"] = 5
        await hand.look()
        assert (await market.follow()).stock_total == 5
        world.units["gpu-1"] = UNBOUNDED
        await hand.look()
        assert market.stock() == (5, 5, 0), "the last number holds"
        assert market.stock_events() == [("Differs", 7, 0), ("Fits", 0, 0)]

    trade(kind, scene)


@STORES
def test_what_no_engine_serves_takes_its_stock_from_none_and_what_one_says_is_not_set(kind: str) -> None:
    async def scene(market: Market) -> None:
        await market.hand("one", market.world(8)).look()
        asked = SetOffering(region="bj", unit_type="gpu-1", stock_source="Engine")
        refusal = await market.say(msgspec.structs.replace(asked, routes=(Route("bd", "", True, "fake"),)))
        assert "No engine serves gpu-1 in bj" in str(refusal)
        assert (await market.follow()).stock_total == 8
        refusal = await market.say(SetOffering(region="bj", unit_type="gpu-1", stock_total=9, routes=ROUTES))
        assert "so it cannot be set to 9" in str(refusal)
        assert refusal.field == "stockTotal"
        quota = SetOffering(
            region="global", unit_type="ernie", kind="TPM", stock_source="Engine", stock_total=None, routes=ROUTES
        )
        assert "Quota runs on no engine" in str(await market.say(quota))
        assert market.stock() == (8, 8, 0)

    trade(kind, scene)


@STORES
def test_what_is_oversold_is_set_by_hand_only_to_what_is_sold(kind: str) -> None:
    async def scene(market: Market) -> None:
        world = market.world(8)
        hand = market.hand("one", world)
        await hand.look()
        await market.follow()
        await market.buy(8)
        world.units["gpu-1"] = 5
        await hand.look()
        by_hand = SetOffering(region="bj", unit_type="gpu-1", stock_source="Set", routes=ROUTES)
        assert "8 units of gpu-1 in bj are held by instances" in str(await market.say(by_hand))
        assert market.stock() == (5, 0, 3)
        answer = await market.say(msgspec.structs.replace(by_hand, stock_total=8))
        assert (answer.stock_source, answer.stock_total, answer.oversold) == ("Set", 8, 0)

    trade(kind, scene)
