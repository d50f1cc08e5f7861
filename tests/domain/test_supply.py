"""The capacity of engines against offerings, as values."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.model.engine_capacity import (
    UNBOUNDED,
    CapacityReport,
    EngineCapacity,
    TypeCapacity,
    served_types,
    units_of,
)
from leasebook.domain.model.offering import QUOTA, Offering
from leasebook.domain.record.event import STOCK_DIFFERS, STOCK_FITS, supply_events
from leasebook.domain.replicas.engine_route import parse_routes
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import Refusal

ROUTES = parse_routes("gpu-*=ray, gz/gpu-1=process, cpu=instant")
STEPS = st.lists(st.tuples(st.sampled_from(["take", "give", "stock"]), st.integers(0, 12)), max_size=40)


def offering(region: str = "bj", total: int = 0, free: int | None = None, source: str = "Set") -> Offering:
    return msgspec.convert(
        {
            "region": region,
            "type": "gpu-1",
            "position": 1,
            "per_minute": None,
            "per_month": None,
            "stock_total": total,
            "stock_free": total if free is None else free,
            "stock_source": source,
        },
        Offering,
    )


def ray(*units: int) -> EngineCapacity:
    """The engine, with these numbers of gpu-1 on its nodes, in order."""
    words = tuple(CapacityReport(f"node-{number}", "one", {"gpu-1": count}, 1) for number, count in enumerate(units))
    return EngineCapacity("ray", "acc-1", words)


@given(STEPS)
def test_whatever_happens_to_a_stock_it_adds_up_and_nothing_is_free_while_it_is_oversold(
    steps: list[tuple[str, int]],
) -> None:
    row, held = offering(total=5), 0
    for step, count in steps:
        before = row
        if step == "stock":
            row = row.stocked(count)
        elif step == "take":
            try:
                row = row.take(count)
            except Refusal:
                assert held + count > row.stock_total or count > row.stock_free
            else:
                held += count
                assert held <= before.stock_total or count == 0
        elif count <= held:
            row = row.give_back(count)
            held -= count
        else:
            with pytest.raises(AssertionError):
                row.give_back(count)
        assert row.reserved == held
        assert (row.stock_free, row.oversold) == (max(0, row.stock_total - held), max(0, held - row.stock_total))


def test_nodes_add_up_and_one_without_a_bound_has_none_in_sum() -> None:
    assert ray().has("gpu-1") is None
    assert ray(3, 4).has("gpu-1") == 7
    assert ray(3, 4).has("gpu-2") == 0
    assert ray(3, UNBOUNDED).has("gpu-1") is None
    gone = msgspec.structs.replace(ray(3).words[0], node="x", gone_since=1)
    assert msgspec.structs.replace(ray(4), words=(*ray(4).words, gone)).has("gpu-1") == 4


def test_a_type_that_is_not_named_counts_under_the_longest_beginning_of_it() -> None:
    units = {"cpu-1": 1, "gpu-*": 8, "gpu-b*": 2, "*": UNBOUNDED}
    supply = msgspec.structs.replace(ray(0), words=(msgspec.structs.replace(ray(0).words[0], units=units),))
    asked = {kind: supply.has(kind) for kind in ("cpu-1", "gpu-a", "gpu-b9", "new")}
    assert asked == {"cpu-1": 1, "gpu-a": 8, "gpu-b9": 2, "new": None}
    assert units_of({"gpu-1": 3}, "gpu-2") is None


@given(st.integers(0, 20), st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=4))
def test_what_is_offered_is_what_the_engine_has_or_what_is_set_by_hand(has: int, rows: list[tuple[int, bool]]) -> None:
    shelf = [offering(f"r{n}", total, source="Engine" if follows else "Set") for n, (total, follows) in enumerate(rows)]
    supply, changed = ray(has).reckon("gpu-1", shelf, ROUTES)
    after = {row.region: row for row in shelf} | {row.region: row for row in changed}
    by_hand = sum(total for total, follows in rows if not follows)
    offered = sum(row.stock_total for row in after.values())
    follows = any(row.stock_source == "Engine" for row in shelf)
    assert offered == (max(has, by_hand) if follows else by_hand)
    assert supply.stocks["gpu-1"].difference == offered - has
    assert all(after[row.region] == row for row in shelf if row.stock_source == "Set")
    assert supply.reckon("gpu-1", after.values(), ROUTES) == (supply, []), "counted again it is the same"


def test_only_what_an_engine_serves_is_compared_with_it() -> None:
    shelf = [offering("bj", 3), offering("gz", 5), msgspec.structs.replace(offering("global", 9), kind=QUOTA)]
    supply, changed = ray(4).reckon("gpu-1", shelf, ROUTES)
    assert (supply.stocks, changed) == ({"gpu-1": TypeCapacity(("bj",), 3, 4)}, [])
    assert served_types("ray", shelf, ROUTES) == served_types("process", shelf, ROUTES) == ("gpu-1",)
    assert served_types("instant", shelf[2:], ROUTES) == ()
    # It is routed elsewhere now.
    assert supply.reckon("gpu-1", shelf, parse_routes("*=instant"))[0].stocks == {}


def test_events_tell_when_a_difference_appears_changes_and_ends_and_nothing_else() -> None:
    def events_of(before: TypeCapacity | None, after: TypeCapacity | None) -> list[tuple[str, int, int]]:
        rows = [EngineCapacity("ray", "acc-1", (), {} if one is None else {"gpu-1": one}) for one in (before, after)]
        return [(kind, data["difference"], data["oversold"]) for kind, data in supply_events(*rows)]

    fits, more, oversold = TypeCapacity(("bj",), 4, 4), TypeCapacity(("bj",), 6, 4), TypeCapacity(("bj",), 4, 4, 1)
    assert events_of(None, fits) == events_of(fits, fits) == events_of(more, more) == events_of(fits, None) == []
    assert events_of(None, more) == events_of(fits, more) == [(STOCK_DIFFERS, 2, 0)]
    assert events_of(more, oversold) == [(STOCK_DIFFERS, 0, 1)]
    assert events_of(more, fits) == events_of(oversold, None) == [(STOCK_FITS, 0, 0)]
    assert events_of(more, TypeCapacity(("bj",), 6, None)) == [(STOCK_FITS, 0, 0)], "the engine's units are unknown now"
    assert events_of(more, TypeCapacity(("bj",), 7, 5)) == [], "both grew by one"


def test_a_price_is_set_without_a_word_about_stock() -> None:
    priced = msgspec.structs.replace(offering(total=3), per_minute=Micro(1))
    assert priced.stocked(3) == priced
