"""The main job: buy units, schedule their release, and have it happen."""

from __future__ import annotations

import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.harness import a_service


@pytest.mark.both_stores
async def test_a_postpaid_unit_is_released_at_its_time_and_the_bill_ends_there(target: Target) -> None:
    async with a_service(target) as desk:
        await desk.advance("2030-01-15T00:00:00Z")
        offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 4}
        assert (await desk.call("/v2/catalog", "SetOffering", offering)).result["stockFree"] == 4
        assert (await desk.call("/v2/account", "TopUpAccount", {"amount": "1000"})).result["balance"] == "1000.00"
        bought = await desk.call(
            "/v2/computeunit",
            "PurchaseComputeUnit",
            {
                "billing": {"paymentTiming": "Postpaid", "releaseTime": "2030-01-15 09:30:30"},
                "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
                "computeUnitCount": 3,
            },
        )
        unit = {"instanceId": bought.result["instanceId"]}
        shown = (await desk.call("/v2/computeunit", "DescribeComputeUnit", unit)).result["computeUnitInstance"]
        assert shown["status"] == "Running"
        assert shown["releaseTime"] == "2030-01-15T09:30:30+08:00"

        # From 08:00 to 09:30:30 in Shanghai: 91 started minutes of three units at 0.5.
        await desk.advance("2030-01-15T09:30:29+08:00")
        assert (await desk.call("/v2/computeunit", "DescribeComputeUnit", unit)).result["computeUnitInstance"][
            "status"
        ] == "Running"
        await desk.advance("2030-01-15T12:00:00+08:00")
        shown = (await desk.call("/v2/computeunit", "DescribeComputeUnit", unit)).result["computeUnitInstance"]
        assert shown["status"] == "Released"
        assert (await desk.call("/v2/account", "DescribeAccount")).result["balance"] == "863.50"
        assert (await desk.call("/v2/catalog", "DescribeOfferings")).result["offerings"][1]["stockFree"] == 4
    assert check_store(target).findings == []
