"""The metrics of the business: reserved and free units, charges and budgets, and their owner: a server or the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from leasebook.config.load import BadSettings, load_settings
from leasebook.docsgen.reference import Listing
from leasebook.observability.business_metrics import AccountFigures, label_of
from leasebook.observability.metrics import Metrics
from leasebook.store.opening import Target
from tests import postgres
from tests.api.scene import ACCOUNT, CATALOG, IAM, UNITS, order
from tests.copies import STORES, empty
from tests.harness import Client, a_service

Samples = dict[str, dict[tuple[str, ...], float]]
OF_STORE = {name.strip("`") for name, *_, of in Listing().rows if of == "store"}


def read(text: str) -> Samples:
    """Return values by the values of their labels, in the order of the labels' names."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels[name] for name in sorted(sample.labels))] = (
                sample.value
            )
    return found


async def scraped(desk: Client) -> Samples:
    return read(str((await desk.send("/metrics", "", b"", method="GET", headers=[])).body))


async def sell(desk: Client, stock: int = 10) -> None:
    offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "pricePerMonth": "100", "stockTotal": stock}
    _ = (await desk.call(CATALOG, "SetOffering", offering)).result


async def customer(desk: Client, name: str) -> tuple[str, Client]:
    made = (await desk.call(IAM, "CreateAccount", {"name": name})).result
    _ = (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": made["accountId"]})).result
    return made["accountId"], desk.as_user(made["accessKeyId"], made["secretAccessKey"])


async def buy(caller: Client, **wanted: Any) -> str:
    bought = (await caller.call(UNITS, "PurchaseComputeUnit", order(**wanted))).result
    return str(bought["instanceId"])


@pytest.fixture(params=STORES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    with empty(request.param, tmp_path / "data", migrated=True) as found:
        yield found


@pytest.mark.both_stores
async def test_reserved_and_free_units_are_shown_and_the_charges_of_the_accounts_that_are_named(where: Target) -> None:
    async with a_service(where) as desk:
        await sell(desk)
        limited, buyer = await customer(desk, " Team\n of  Ann ")
        unlimited, other = await customer(desk, "two")
        unnamed, third = await customer(desk, "three")
        for account, caller in ((limited, buyer), (unnamed, third)):
            limits = {"accountId": account, "limits": {"budget": "400"}}
            _ = (await desk.call(ACCOUNT, "SetGuardRails", limits)).result
            await buy(caller, count=2, months=1)
        gone = await buy(other, count=1)
        await buy(other, count=1)
        _ = (await other.call(UNITS, "ReleaseComputeUnit", {"instanceId": gone})).result
        # No account is shown unless a setting names it.
        assert not any(name.startswith("leasebook_account_") for name in await scraped(desk))
    named = {"LEASEBOOK_METRICS_ACCOUNTS": f"{limited}, {unlimited},no-account"}
    async with a_service(where, environment=named) as desk:
        found = await scraped(desk)
        gpu = ("ComputingUnit", "bj", "gpu-1")
        assert found["leasebook_offering_units_reserved"][gpu] == 5
        assert found["leasebook_offering_units_free"][gpu] == 5
        assert found["leasebook_account_info"] == {(limited, "Team of Ann"): 1, (unlimited, "two"): 1}
        assert found["leasebook_account_spend"] == {(limited,): 200}
        assert found["leasebook_account_budget"] == {(limited,): 400}
        # As new as the scrape, and of the month that it is.
        buyer = desk.as_user(buyer.access_key, buyer.secret_key)
        await buy(buyer, count=1, months=1)
        found = await scraped(desk)
        assert found["leasebook_offering_units_free"][gpu] == 4
        assert found["leasebook_account_spend"] == {(limited,): 300}
        now = (await desk.call("/v2/clock", "DescribeClock")).result["now"]
        year, month = int(now[:4]), int(now[5:7])
        following = f"{year + month // 12}-{month % 12 + 1:02}-01 01:00:00"
        await desk.advance(following)
        assert (await scraped(desk))["leasebook_account_spend"] == {(limited,): 0}


async def test_an_offering_that_was_removed_is_shown_no_more(tmp_path: Path) -> None:
    async with a_service(tmp_path / "data") as desk:
        await sell(desk)
        gpu = ("ComputingUnit", "bj", "gpu-1")
        for action in ("CloseOffering", "RemoveOffering"):
            assert gpu in (await scraped(desk))["leasebook_offering_units_free"]
            _ = (await desk.call(CATALOG, action, {"region": "bj", "type": "gpu-1"})).result
        assert gpu not in (await scraped(desk))["leasebook_offering_units_free"]


async def test_each_server_shows_the_whole_store_in_the_metrics_that_the_page_says_are_of_it(tmp_path: Path) -> None:
    """The maximum over servers is therefore right, and the sum is not."""
    with postgres.shared_server().database(migrated=True) as url:
        one, two = tmp_path / "one", tmp_path / "two"
        async with a_service(Target(one, url)) as desk:
            await sell(desk)
            account, buyer = await customer(desk, "one")
            limits = {"accountId": account, "limits": {"budget": "400"}}
            _ = (await desk.call(ACCOUNT, "SetGuardRails", limits)).result
            for _ in range(3):
                await buy(buyer, months=1)
        two.mkdir(mode=0o700)
        (two / "master.key").write_bytes((one / "master.key").read_bytes())
        (two / "master.key").chmod(0o600)
        named = {"LEASEBOOK_METRICS_ACCOUNTS": account}
        async with (
            a_service(Target(one, url), environment=named) as desk,
            a_service(Target(two, url), environment=named) as other,
        ):
            first, second = await scraped(desk), await scraped(other)
    assert first["leasebook_units"] == second["leasebook_units"] == {("Running",): 3}
    assert first["leasebook_account_spend"] == {(account,): 300}
    for name in OF_STORE:
        assert first.get(name) == second.get(name), name
    # Of the others the sum is right.
    assert sum(one["leasebook_build_info"].popitem()[1] for one in (first, second)) == 2
    assert first["process_start_time_seconds"].keys() == {()}


def test_names_become_labels_of_one_line_within_a_bound() -> None:
    assert label_of(" a\tb\r\n\u2028 c\u200b\x00d ") == "a b c d"
    assert label_of("团队" * 100) == "团队" * 32
    assert label_of("\n") == ""
    metrics = Metrics()
    metrics.business.accounts([AccountFigures("acc-1", 'a"b\\c\n'), AccountFigures("acc-2", "x", 1_500_000, None)])
    metrics.business.accounts([AccountFigures("acc-1", 'a"b\\d', 2_500_000, 5_000_000)])
    found = read(metrics.render()[0].decode())
    assert found["leasebook_account_info"] == {("acc-1", 'a"b\\d'): 1}
    assert found["leasebook_account_spend"] == {("acc-1",): 2.5}
    assert found["leasebook_account_budget"] == {("acc-1",): 5}


def test_a_process_shows_what_it_uses_under_the_names_of_prometheus() -> None:
    found = read(Metrics().render()[0].decode())
    assert 10 << 20 < found["process_resident_memory_bytes"][()] < found["process_virtual_memory_bytes"][()]
    assert 0 < found["process_open_fds"][()] < found["process_max_fds"][()]
    assert found["process_cpu_seconds_total"][()] > 0


@pytest.mark.parametrize("text", ["a b", "a,,b", "é", ",", ",".join(["a"] * 101), "a" * 65, "a\n"])
def test_another_list_of_accounts_is_refused(text: str) -> None:
    with pytest.raises(BadSettings, match="up to 100 ids of accounts"):
        load_settings(None, {"LEASEBOOK_METRICS_ACCOUNTS": text})
    assert load_settings(None, {"LEASEBOOK_METRICS_ACCOUNTS": ",".join(["a-1"] * 100)})
