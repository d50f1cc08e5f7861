"""The tests of the pool: written without a look at the service's code."""

from decimal import Decimal

import pytest
from pool import NoUnit, Pool

from leasebook.client import ErrorAnswer

BUY = "PurchaseComputeUnit"


def test_a_rented_unit_is_released_at_its_hour_and_billed_to_the_minute(leasebook, pool):
    unit = pool.rent(1, hours=1.5)
    leasebook.advance(hours=1)
    assert pool.rented() == [unit]
    leasebook.advance(minutes=30)
    assert pool.rented() == []
    assert leasebook.bill().charged == 90 * Decimal("0.2")


def test_it_is_kept_as_long_as_somebody_needs_it(leasebook, pool):
    unit = pool.rent(1, hours=1)
    leasebook.advance(minutes=59)
    pool.keep(unit, hours=2)
    leasebook.advance(minutes=2)
    assert pool.rented() == [unit]
    assert leasebook.advance_to_next("RELEASE").ids == (unit,)
    assert pool.rented() == []


@pytest.mark.leasebook(start="2030-01-01 00:00:00")
def test_a_month_passes_in_a_moment(leasebook, pool):
    pool.rent(2, hours=24 * 40)
    leasebook.given(balance=100_000)
    leasebook.advance(days=31)
    assert len(pool.rented()) == 1
    assert leasebook.client.describe_account().balance == 100_000 - 31 * 24 * 60 * 2 * Decimal("0.2")


def test_where_the_first_type_is_gone_the_second_is_taken(leasebook, pool):
    leasebook.given(stock={"gpu-1": 0})
    unit = pool.rent(1, hours=1)
    assert leasebook.client.describe_unit(instance_id=unit).compute_unit_instance.type == "gpu-2"


def test_where_nothing_is_left_it_says_so(leasebook, pool):
    leasebook.fail("InsufficientStock", action=BUY, count=None)
    with pytest.raises(NoUnit, match="gpu-1, gpu-2"):
        pool.rent(1, hours=1)
    assert pool.rented() == []


@pytest.mark.parametrize("kind", ["TooManyRequests", "StoreUnavailable", "CutBody"])
def test_a_trouble_that_passes_ends_in_exactly_one_purchase(leasebook, pool, kind):
    leasebook.fail(kind, action=BUY, count=2)
    unit = pool.rent(1, hours=1)
    assert pool.rented() == [unit]
    assert [fault.happened for fault in leasebook.faults()] == [2]


def test_500_after_the_purchase_is_not_hidden_and_the_unit_can_be_found(leasebook, pool):
    leasebook.fail("ErrorAfter", action=BUY)
    with pytest.raises(ErrorAnswer):
        pool.rent(1, hours=1)
    (unit,) = pool.rented()
    pool.give_back(unit)
    pool.give_back(unit)
    assert pool.rented() == []


def test_without_money_nothing_is_rented(leasebook):
    leasebook.given(stock={"gpu-1": 1})
    poor = Pool("gpu-1")
    with pytest.raises(ErrorAnswer) as refused:
        poor.rent(1, hours=1)
    poor.close()
    assert refused.value.code == "InsufficientBalance"
