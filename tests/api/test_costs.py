"""Costs as a question: sums by period and group, exact, from sums that are kept and from what they lack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from leasebook.export.focus.export import export
from leasebook.export.focus.rows import Seller
from leasebook.store.opening import Target
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness, order
from tests.copies import STORES

TAG = "/v2/tag"
MONTHS = (("2030-01", "2030-02"), ("2030-02", "2030-03"), ("2030-03", "2030-04"), ("2030-04", "2030-05"))
SPAN = {"from": "2030-01-01 00:00:00", "to": "2030-05-01 00:00:00"}
GROUPS: tuple[list[str], ...] = (
    [],
    ["type"],
    ["kind", "tag:team"],
    ["account", "project", "user", "type", "region", "service", "kind", "tag:team", "tag:stage"],
)


class Life(NamedTuple):
    """A scene in which an account on Berlin's clocks has spent money for three months."""

    scene: ServiceHarness
    caller: Caller
    account: str
    where: Target


def costs(caller: Caller, **asked: Any) -> Any:
    return caller.do(ACCOUNT, "DescribeCosts", {**SPAN, **asked})


def all_rows(caller: Caller, **asked: Any) -> list[Any]:
    return [
        row
        for page in caller.pages(ACCOUNT, "DescribeCosts", {**SPAN, "maxKeys": 1000, **asked})
        for row in page["costs"]
    ]


def spent(rows: list[Any], what: str = "billed") -> Decimal:
    return sum((Decimal(row[what]) for row in rows), Decimal(0))


def by(rows: list[Any], name: str, what: str = "billed") -> dict[Any, Decimal]:
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row["group"][name]] += Decimal(row[what])
    return dict(found)


def bought(caller: Caller, unit_type: str = "gpu-1", tags: dict[str, str] | None = None, **billing: Any) -> str:
    body = {**order(type=unit_type, **billing), **({"tags": tags} if tags else {})}
    return str(caller.do(UNITS, "PurchaseComputeUnit", body)["instanceId"])


def lived(scene: ServiceHarness) -> tuple[Caller, str]:
    """Buy, tag and release, the end of March and of the winter among it; costs are summed now and then, only here."""
    scene.runner.run(scene.running.costs.stop())
    scene.sell("bj", "gpu-1", minute="0.013", month="100.01", stock=1000)
    scene.sell("sh", "gpu-2", minute="0.7", month="333.33", stock=1000)
    scene.sell_quota(minute="0.1")
    caller = scene.customer("90000", zone="Europe/Berlin")
    account = caller.account_id()
    other = scene.user(caller, "QianfanServiceOperateAccessPolicy")
    caller.do(
        UNITS, "PurchaseComputeUnit", {**order(region="sh", type="gpu-2", count=3, months=2), "tags": {"team": "web"}}
    )
    scene.advance("2030-03-28T10:17:31+01:00")
    first = bought(caller, tags={"team": "ml"})

    def tag(**tags: str) -> None:
        caller.do(TAG, "TagResource", {"resourceId": first, "tags": tags})

    for to, act in (
        ("2030-03-28T20:30:00+01:00", lambda: bought(other)),
        ("2030-03-29T13:00:00+01:00", lambda: tag(team="web")),
        ("2030-03-29T13:30:00+01:00", caller.buy_quota),
        ("2030-03-30T10:00:00+01:00", lambda: tag(stage="x")),
        ("2030-03-31T05:30:00+02:00", lambda: caller.release(first)),
        ("2030-04-01T00:00:00+02:00", lambda: bought(other, months=1)),
        ("2030-04-02T07:00:00+02:00", lambda: None),
    ):
        scene.sum_costs()
        scene.advance(to)
        act()
    return caller, account


@pytest.fixture(scope="module", params=STORES)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with a_copy(request, tmp_path_factory.mktemp("costs") / "data") as scene:
        yield Life(scene, *lived(scene), scene.where)


def test_the_answer_is_the_same_before_and_after_postings_are_summed(life: Life) -> None:
    def asked() -> list[Any]:
        return [
            all_rows(life.caller, granularity=one, groupBy=group_by) for one in ("day", "month") for group_by in GROUPS
        ]

    with snapshot(life.where) as ask:
        assert ask.posting_edge().last > ask.costs_summed() > 0
    before = asked()
    life.scene.sum_costs()
    assert asked() == before
    with snapshot(life.where) as ask:
        assert ask.posting_edge().last == ask.costs_summed()
    assert check_store(life.where).findings == []


@pytest.mark.parametrize("granularity", ["day", "month", "total"])
def test_groups_of_any_kind_make_up_the_whole(life: Life, granularity: str) -> None:
    total = costs(life.caller)["total"]
    for group_by in GROUPS:
        rows = all_rows(life.caller, granularity=granularity, groupBy=group_by)
        assert {what: spent(rows, what) for what in ("billed", "amortised")} == {
            what: Decimal(total[what]) for what in ("billed", "amortised")
        }
        assert all(list(row["group"]) == group_by for row in rows)


def test_hours_make_up_days_whatever_the_clocks_do(life: Life) -> None:
    week = {"from": "2030-03-28 00:00:00", "to": "2030-04-02 00:00:00", "groupBy": ["type", "kind"]}
    hours, days = (all_rows(life.caller, **week, granularity=one) for one in ("hour", "day"))
    sums: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in hours:
        for place, what in enumerate(("billed", "amortised")):
            sums[row["startTime"][:10], tuple(row["group"].values())][place] += Decimal(row[what])
    assert dict(sums) == {
        (row["startTime"][:10], tuple(row["group"].values())): [Decimal(row["billed"]), Decimal(row["amortised"])]
        for row in days
    }
    # On 31 March the clocks skip an hour.
    per_day = {row["startTime"][:10]: Decimal(row["billed"]) for row in days if row["group"]["type"] == "ernie-4.0-8k"}
    assert per_day["2030-03-30"] - per_day["2030-03-31"] == Decimal("6.0")


def test_a_month_is_what_the_statement_and_the_cost_export_say(life: Life) -> None:
    seller = Seller("Leasebook", "CNY")
    for since, until in MONTHS:
        asked = {"from": f"{since}-01 00:00:00", "to": f"{until}-01 00:00:00"}
        rows = all_rows(life.caller, **asked, groupBy=["kind", "type", "user"])
        charged = life.caller.do(ACCOUNT, "DescribeStatement", {"month": since})["charged"]
        assert spent(rows) == Decimal(charged)
        with snapshot(life.where) as ask:
            exported = list(export(ask, int(since[:4]), int(since[5:]), seller, life.account))
        for what, column in (("billed", "billed_cost"), ("amortised", "effective_cost")):
            wanted: dict[Any, int] = defaultdict(int)
            for one in exported:
                wanted[one.posting_kind, (one.sku_id or "").rsplit("/", 1)[1], one.created_by] += getattr(one, column)
            found = {tuple(row["group"].values()): int(Decimal(row[what]) * 10**6) for row in rows}
            assert {key: amount for key, amount in found.items() if amount} == {
                key: amount for key, amount in wanted.items() if amount
            }


def test_a_charge_has_the_tags_of_its_time(life: Life) -> None:
    asked = {"groupBy": ["tag:team"], "filter": {"type": "gpu-1", "kind": "Usage"}}
    before = all_rows(life.caller, **asked, to="2030-03-29 13:00:00")
    # The charge at the moment of the change is for the time before.
    turn = all_rows(life.caller, **asked, **{"from": "2030-03-29 13:00:00", "to": "2030-03-29 14:00:00"})
    after = all_rows(life.caller, **asked, **{"from": "2030-03-29 14:00:00"})
    assert set(by(before, "tag:team")) == {"ml", None}
    assert by(turn, "tag:team") == {"ml": Decimal("0.78"), None: Decimal("0.78")}
    assert set(by(after, "tag:team")) == {"web", None}
    stages = all_rows(life.caller, groupBy=["tag:stage"], granularity="day", to="2030-04-03 00:00:00")
    assert {row["startTime"][:10] for row in stages if row["group"]["tag:stage"] == "x"} == {"2030-03-30", "2030-03-31"}


def test_a_filter_takes_a_value_several_or_none(life: Life) -> None:
    whole = by(all_rows(life.caller, groupBy=["tag:team"]), "tag:team")
    for given, kept in (
        ("ml", {"ml"}),
        (["ml", "web"], {"ml", "web"}),
        (None, {None}),
        (["ml", None], {"ml", None}),
        ([], set()),
        ("nobody", set()),
    ):
        rows = all_rows(life.caller, groupBy=["tag:team"], filter={"tag:team": given})
        assert by(rows, "tag:team") == {team: amount for team, amount in whole.items() if team in kept}


def test_names_are_shown_beside_ids(life: Life) -> None:
    rows = all_rows(life.caller, groupBy=["account", "user"])
    assert {row["names"]["account"] for row in rows} == {"customer"}
    assert {row["names"]["user"] for row in rows} == {"root", "user"}
    # Quota has no region, and no project is there.
    assert None in by(all_rows(life.caller, groupBy=["region"]), "region")
    assert set(by(all_rows(life.caller, groupBy=["project", "service"]), "project")) == {None}


def test_pages_put_together_are_the_whole_answer(life: Life) -> None:
    asked = {"granularity": "day", "groupBy": ["type", "kind"]}
    whole = all_rows(life.caller, **asked)
    pages = life.caller.pages(ACCOUNT, "DescribeCosts", {**SPAN, **asked, "maxKeys": 50})
    assert len(pages) > 2
    assert [row for page in pages for row in page["costs"]] == whole
    assert {page["total"]["billed"] for page in pages} == {costs(life.caller)["total"]["billed"]}
    marker = {"marker": pages[0]["nextMarker"]}
    assert life.caller.refused(ACCOUNT, "DescribeCosts", {**SPAN, "groupBy": ["type"], **marker}) == "InvalidMarker"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"groupBy": ["typ"]}, "groupBy"),
        ({"groupBy": ["tag:"]}, "groupBy"),
        ({"groupBy": ["type", "type"]}, "groupBy"),
        ({"filter": {"typ": "gpu-1"}}, "filter"),
        ({"from": "2030-01-01 00:30:00"}, "from"),
        ({"to": "2030-01-01 00:00:00"}, "to"),
        ({"to": "2031-01-01 00:00:00", "granularity": "hour"}, "granularity"),
        ({"from": "2030-03-31 02:30:00"}, "from"),
    ],
)
def test_what_cannot_be_asked_is_refused(life: Life, wrong: Any, field: str) -> None:
    assert life.caller.field_refused(ACCOUNT, "DescribeCosts", {**SPAN, **wrong}) == field


def test_tenants_see_their_own_and_billing_readers_see_all(life: Life) -> None:
    stranger = life.scene.customer()
    named = {**SPAN, "accountId": life.account}
    assert stranger.refused(ACCOUNT, "DescribeCosts", named) == "AccessDenied"
    assert costs(stranger)["costs"] == []
    reader = life.scene.user(life.scene.operator, "LeasebookBillingReadPolicy")
    assert costs(reader, accountId=life.account)["total"] == costs(life.caller)["total"]
    rows = all_rows(reader, accountId="*", groupBy=["account"])
    assert by(rows, "account")[life.account] == Decimal(costs(life.caller)["total"]["billed"])
    assert reader.refused(ACCOUNT, "DescribeCosts", {**SPAN, "accountId": "none"}) == "ResourceNotFound"
