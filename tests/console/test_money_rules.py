"""The rules behind the pages about money: months, stacked columns, and which instances are cheaper by the month."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.console.frame.chart import COLOURS, FOOT, HEAD, HEIGHT, WIDTH, stacked
from leasebook.console.pages.money import months
from leasebook.console.pages.money.advice import cheaper_prepaid
from leasebook.contract.nouns.account import StatementLine, StatementUnit

NOW = datetime.fromisoformat("2026-11-30T23:59:00+08:00")


@pytest.mark.parametrize(
    ("asked", "month"),
    [("", "2026-11"), ("2026-02", "2026-02"), ("2026-13", "2026-11"), ("2026-2", "2026-11"), ("0000-01", "2026-11"),
     ("9999-12", "2026-11"), ("2026-02-01", "2026-11"), ("x" * 9000, "2026-11")],
)  # fmt: skip
def test_a_month_is_the_one_that_was_asked_for_or_the_current_one(asked: str, month: str) -> None:
    assert months.chosen(asked, NOW) == month


@given(st.dates(datetime(1971, 1, 1).date(), datetime(2200, 1, 1).date()), st.integers(-500, 500))  # noqa: DTZ001
def test_moving_a_month_there_and_back_is_nothing(day: Any, count: int) -> None:
    month = f"{day:%Y-%m}"
    assert months.moved(months.moved(month, count), -count) == month
    assert (months.moved(month, count) > month) == (count > 0)
    assert months.moved("2026-12", 1) == "2027-01"
    assert months.moved("2026-01", -1) == "2025-12"


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        # The clocks skip the midnight after these days.
        ("America/Santiago", "2030-09-07"),
        ("Africa/Cairo", "2030-04-25"),
        # And this one's: it is the second day of a month.
        ("America/Santiago", "2029-09-01"),
        # The clocks skipped the first hour of October 2023.
        ("America/Asuncion", "2023-09-30"),
    ],
)
def test_a_day_begins_where_the_clocks_skip_its_midnight(zone: str, day: str) -> None:
    eve = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone))
    after = eve.date() + timedelta(days=1)
    assert months.tomorrow(eve, zone) == f"{after} 01:00:00"
    assert months.tomorrow(eve + timedelta(days=1), zone) == f"{after + timedelta(days=1)} 00:00:00"
    assert months.period("2023-10", "America/Asuncion") == {"from": "2023-10-01 01:00:00", "to": "2023-11-01 00:00:00"}


AMOUNTS = st.decimals(Decimal(-5), Decimal(10**9), places=6)


@given(
    st.dictionaries(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from("uvwxyz0123456")), AMOUNTS, max_size=30)
)
def test_columns_are_as_high_as_their_amounts_and_stay_inside(amounts: dict[tuple[str, str], Decimal]) -> None:
    chart = stacked(["a", "b", "c"], amounts)
    above = [amount for amount in amounts.values() if amount > 0]
    if chart is None:
        assert not above
        return
    foot = HEIGHT - FOOT
    assert 2 <= len(chart.lines) <= 7
    assert chart.lines[-1].amount >= max(column.total for column in chart.columns) > chart.lines[-1].amount / 10
    scale = (foot - HEAD) / float(chart.lines[-1].amount)
    for column in chart.columns:
        assert 0 <= column.x < column.middle < column.x + column.width <= WIDTH
        assert column.total == sum(piece.amount for piece in column.pieces)
        y = float(foot)
        for piece in column.pieces:
            y -= float(piece.amount) * scale
            assert piece.y == pytest.approx(y, abs=0.02)
            assert piece.y >= HEAD - 0.01
            assert piece.colour < COLOURS
            assert amounts[column.name, piece.series] == piece.amount
    sums = [sum(amounts.get((one, series), 0) for one in "abc") for series in chart.series]
    assert sums == sorted(sums, reverse=True)


def test_without_amounts_there_is_no_chart() -> None:
    assert stacked(["a"], {}) is None
    assert stacked(["a"], {("a", "x"): Decimal(0)}) is None


def unit(name: str, *lines: tuple[str, str, int], type_: str = "gpu-1") -> StatementUnit:
    return StatementUnit(
        instance_id=name, kind="ComputingUnit", region="bj", type=type_, payment_timing="Postpaid", amount="0",
        lines=[StatementLine(kind=kind, amount=amount, count=count) for kind, amount, count in lines],
    )  # fmt: skip


def test_an_instance_is_named_if_its_minutes_cost_more_than_the_month_in_advance() -> None:
    prices = {("bj", "gpu-1"): Decimal(100)}
    units = [
        unit("dear", ("Usage", "150.000001", 1)),
        unit("equal", ("Usage", "100", 1)),
        unit("two", ("Usage", "150", 1), ("Usage", "40", 2)),
        unit("dearest", ("Usage", "250", 2), ("Usage", "60", 1)),
        unit("term", ("Purchase", "900", 1)),
        unit("other", ("Usage", "900", 1), type_="gpu-2"),
    ]
    found = cheaper_prepaid(units, prices)
    assert [(one.instance_id, one.saving) for one in found] == [
        ("dearest", Decimal(110)), ("dear", Decimal("50.000001")),
    ]  # fmt: skip
    assert cheaper_prepaid(units, {}) == []


@pytest.mark.parametrize(("top", "lines"), [(1, [0, 1]), (3, [0, 1, 2, 3]), (60, [0, 20, 40, 60])])
def test_lines_across_things_that_are_counted_are_at_whole_numbers(top: int, lines: list[int]) -> None:
    chart = stacked(["now"], {("now", "calls"): Decimal(top)}, least_step=Decimal(1))
    assert chart is not None
    assert [line.amount for line in chart.lines] == lines


@pytest.mark.parametrize(("count", "wide", "narrow"), [(1, 1, 1), (4, 4, 4), (12, 12, 4), (24, 12, 4), (31, 11, 4)])
def test_a_chart_has_few_labels_and_fewer_in_a_narrow_window(count: int, wide: int, narrow: int) -> None:
    names = [f"{number:02}" for number in range(count)]
    chart = stacked(names, {("00", "calls"): Decimal(1)})
    assert chart is not None
    labels = [column for column in chart.columns if column.label]
    assert len(labels) == wide
    assert len([column for column in labels if not column.is_minor]) == narrow
    assert not labels[0].is_minor
