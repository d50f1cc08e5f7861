"""Both clients against a real server, directly and through a proxy that cuts their connections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from leasebook.client import AsyncClient, Client, NoAnswer, Retries, WaitedTooLong
from leasebook.client.codes import (
    AccessDenied,
    InappropriateJSON,
    InstanceNotFound,
    InsufficientStock,
    SignatureDoesNotMatch,
)
from leasebook.client.shapes.instance import Billing, ComputeUnitConfig
from tests.client.cutting import CuttingProxy
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer, running

UNIT = ComputeUnitConfig(region="bj", type="gpu-1")
LATE = datetime(2099, 1, 1, tzinfo=UTC)
POSTPAID = Billing(payment_timing="Postpaid", release_time=LATE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConformanceServer]:
    with running("sqlite", Path(tmp_path_factory.mktemp("client"))) as found:
        yield found


@pytest.fixture
def client(server: ConformanceServer) -> Iterator[Client]:
    with Client(server.base_url, ACCESS_KEY, SECRET_KEY) as found:
        yield found


@pytest.fixture
def proxy(server: ConformanceServer) -> Iterator[CuttingProxy]:
    at = urlsplit(server.base_url)
    found = CuttingProxy(str(at.hostname), int(at.port or 0))
    yield found
    with suppress(OSError):
        found.close()


def through(proxy: CuttingProxy, tries: int = 4) -> Client:
    return Client(
        f"http://127.0.0.1:{proxy.port}", ACCESS_KEY, SECRET_KEY, timeout=10, retries=Retries(tries=tries, within_s=20)
    )


def bought(client: Client) -> str:
    return client.purchase_units(billing=POSTPAID, compute_unit_config=UNIT, compute_unit_count=1).instance_id


def test_a_life_of_a_unit_with_times_and_amounts_of_their_types(client: Client) -> None:
    unit = bought(client)
    assert client.wait_until_running(unit, 30).compute_unit_instance.release_time == LATE
    sooner = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    assert client.schedule_release(instance_id=unit, release_time=sooner) is True
    assert client.describe_unit(instance_id=unit).compute_unit_instance.release_time == sooner
    assert client.release_unit(instance_id=unit) is True
    ended = client.wait_until_released(unit, 30).compute_unit_instance
    assert ended.expired_time is not None
    assert datetime.now(UTC) - ended.expired_time < timedelta(minutes=1)
    explained = client.explain_unit(instance_id=unit)
    assert isinstance(explained.cost, Decimal)


def test_refusals_are_exceptions_of_their_codes(client: Client, server: ConformanceServer) -> None:
    with pytest.raises(InstanceNotFound, match="unit-none") as raised:
        client.describe_unit(instance_id="unit-none")
    assert (raised.value.status, raised.value.code) == (404, "InstanceNotFound")
    assert raised.value.request_id
    with pytest.raises(InsufficientStock):
        client.purchase_units(billing=POSTPAID, compute_unit_config=UNIT, compute_unit_count=99_999)
    with (
        Client(server.base_url, ACCESS_KEY, "another-secret-of-32-letters-xyz") as wrong,
        pytest.raises(SignatureDoesNotMatch),
    ):
        wrong.describe_clock()


def test_a_user_without_rights_is_denied(client: Client, server: ConformanceServer) -> None:
    user = client.create_user(name=f"reader-{time.time_ns()}").user_id
    key = client.create_access_key(user_id=user)
    with Client(server.base_url, key.access_key_id, key.secret_access_key) as reader, pytest.raises(AccessDenied):
        reader.describe_users()


def test_iterators_go_over_all_pages(client: Client) -> None:
    mine = {bought(client) for _ in range(5)}
    found = [unit.instance_id for unit in client.each_of_units(max_keys=2)]
    assert mine <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("cut", ["before", "after", "body"])
def test_a_purchase_that_is_cut_is_made_once(client: Client, proxy: CuttingProxy, cut: str) -> None:
    before = {order.order_id for order in client.each_of_orders()}
    proxy.cuts.extend([cut, cut])  # type: ignore[list-item]
    with through(proxy) as cutting:
        unit = bought(cutting)
    after = [order for order in client.each_of_orders() if order.order_id not in before]
    assert [order.instance_id for order in after] == [unit]
    assert proxy.requests == 3


def test_a_call_that_is_cut_too_often_says_whether_it_may_be_done(proxy: CuttingProxy) -> None:
    proxy.cuts.extend(["after", "after"])
    with through(proxy, tries=2) as cutting, pytest.raises(NoAnswer, match="may have been done") as raised:
        bought(cutting)
    assert raised.value.may_be_done
    proxy.close()
    with through(proxy, tries=1) as refused, pytest.raises(NoAnswer, match="Nothing was sent") as raised:
        refused.describe_clock()
    assert not raised.value.may_be_done


def test_events_go_on_after_a_cut_with_none_lost_or_doubled(client: Client, proxy: CuttingProxy) -> None:
    newest = client.describe_events(max_keys=1).events[0].id
    units = [bought(client) for _ in range(3)]
    proxy.cuts.extend(["body", "body"])
    found: list[str] = []
    with through(proxy) as cutting:
        for event in cutting.follow_events(types=["unit.running"], after=newest):
            found.append(str(event.subject))
            if len(found) == len(units):
                break
    assert found == units
    assert proxy.requests > 1


def test_a_file_comes_in_pieces_and_its_refusal_is_an_exception(client: Client) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    text = b"".join(client.export_costs(month=month)).decode()
    assert "BilledCost" in text.splitlines()[0]
    with pytest.raises(InappropriateJSON):
        list(client.export_costs(month="13"))


def test_a_waiter_gives_up_with_the_state(client: Client) -> None:
    unit = bought(client)
    with pytest.raises(WaitedTooLong, match=f"{unit} is Running after 0.2 seconds, and not Released"):
        client.wait_until_released(unit, 0.2)


def test_a_waiter_and_a_stream_sit_out_a_server_that_is_away(client: Client, proxy: CuttingProxy) -> None:
    newest, unit = client.describe_events(max_keys=1).events[0].id, bought(client)
    with through(proxy, tries=2) as cutting:
        proxy.cuts.extend(["before", "after", "before"])
        assert cutting.wait_until_running(unit, 30).compute_unit_instance.status == "Running"
        proxy.cuts.extend(["before", "before", "before"])
        assert next(iter(cutting.follow_events(types=["unit.running"], after=newest))).subject == unit
        assert not proxy.cuts

    async def scene() -> None:
        proxy.cuts.extend(["before", "after", "before"])
        at = f"http://127.0.0.1:{proxy.port}"
        async with AsyncClient(at, ACCESS_KEY, SECRET_KEY, retries=Retries(tries=2)) as awaited:
            assert (await awaited.wait_until_running(unit, 30)).compute_unit_instance.status == "Running"

    asyncio.run(scene())
    proxy.close()
    with through(proxy) as away, pytest.raises(NoAnswer, match="Nothing was sent"):
        away.wait_until_running(unit, 0.1)


def test_one_client_serves_many_threads(client: Client) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(bought(client))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 8


def test_the_awaited_client_does_the_same(server: ConformanceServer, proxy: CuttingProxy) -> None:
    async def scene() -> None:
        async with AsyncClient(server.base_url, ACCESS_KEY, SECRET_KEY) as client:
            made = await asyncio.gather(
                *(
                    client.purchase_units(billing=POSTPAID, compute_unit_config=UNIT, compute_unit_count=1)
                    for _ in range(3)
                )
            )
            units = {one.instance_id for one in made}
            assert units <= {unit.instance_id async for unit in client.each_of_units(max_keys=2)}
            newest = (await client.describe_events(max_keys=1)).events[0].id
            one = units.pop()
            assert await client.release_unit(instance_id=one)
            assert (await client.wait_until_released(one, 30)).compute_unit_instance.status == "Released"
            proxy.cuts.append("body")
            async with AsyncClient(f"http://127.0.0.1:{proxy.port}", ACCESS_KEY, SECRET_KEY) as cutting:
                async for event in cutting.follow_events(after=newest, types=["unit.released"]):
                    assert event.subject == one
                    break
                proxy.cuts.append("after")
                assert await cutting.release_unit(instance_id=units.pop())
            pieces = [piece async for piece in client.export_costs(month=f"{datetime.now(UTC):%Y-%m}")]
            assert b"BilledCost" in b"".join(pieces)
            with pytest.raises(InstanceNotFound):
                await client.describe_unit(instance_id="unit-none")

    asyncio.run(scene())
