"""Values from the command line, and answers as rows: without a service."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest

from leasebook.cli.commands.byhand.money import after, month_of
from leasebook.cli.commands.generated.options import body_of
from leasebook.cli.commands.generated.times import is_relative, span_of, time_of
from leasebook.cli.commands.generated.values import list_of, map_of
from leasebook.cli.commands.showing.output import queried
from leasebook.cli.commands.showing.rows import all_columns, chosen_columns, flat
from leasebook.cli.commands.showing.span import left_in_words, time_of_cell
from leasebook.cli.commands.showing.titles import title
from leasebook.cli.commands.spending.prices import money
from leasebook.contract.nouns.limits import SetGuardRailsRequest
from leasebook.contract.parameters.fields import fields_of

NOW = datetime(2026, 11, 30, 21, 43, 59, tzinfo=timezone(timedelta(hours=8)))


@pytest.mark.parametrize(
    ("text", "hours"),
    [("8h", 8), ("90min", 1.5), ("90m", 1.5), ("1d12h", 36), ("2w", 336), ("1h 30m", 1.5), ("1.5h", 1.5), ("7200s", 2)],
)
def test_a_span_is_read(text: str, hours: float) -> None:
    assert span_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "h", "8", "8x", "-8h", "8h!", "0h", "99999999999999w"])
def test_a_text_that_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        span_of(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("tomorrow 18:00", "2026-12-01 18:00:00"),
        ("tomorrow", "2026-12-01 00:00:00"),
        ("明天 18:00", "2026-12-01 18:00:00"),
        ("today 23:59:30", "2026-11-30 23:59:30"),
        ("yesterday 9:05", "2026-11-29 09:05:00"),
        ("23:00", "2026-11-30 23:00:00"),
        ("friday 18:00", "2026-12-04 18:00:00"),
        ("monday", "2026-12-07 00:00:00"),
        ("+8h", "2026-12-01T05:43:59+08:00"),
        ("-1d", "2026-11-29T21:43:59+08:00"),
        ("now", "2026-11-30T21:43:59+08:00"),
        ("2026-12-01 18:00", "2026-12-01 18:00:00"),
        ("2026-12-01", "2026-12-01 00:00:00"),
        ("2026-12-01T18:00:00Z", "2026-12-01T18:00:00Z"),
        ("2026-12-01 18:00:30", "2026-12-01 18:00:30"),
    ],
)
def test_a_time_is_read_on_the_services_clock(text: str, time: str) -> None:
    assert time_of(text, NOW if is_relative(text) else None) == time


@pytest.mark.parametrize(
    "text", ["tomorrow 25:00", "tomorrow at six", "+8", "friday 18", "+99999999999w", "tomorow 18:00"]
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        time_of(text, NOW)


def test_columns_of_two_objects_have_different_titles() -> None:
    assert [title(one) for one in ("prepaid.units", "postpaid.units", "resourceConfig.type", "data.x")] == [
        *("Prepaid: Units", "Postpaid: Units", "Type", "data.x"),
    ]


def test_lists_and_maps_are_given_in_each_way(tmp_path: Path) -> None:
    file = tmp_path / "types.json"
    file.write_text('["unit.bought"]')
    assert list_of(["a,b", "c"], splits=True) == ["a", "b", "c"]
    assert list_of(["a,b", "c"], splits=False) == ["a,b", "c"]
    assert list_of([f"@{file}", '["x"]'], splits=True) == ["unit.bought", "x"]
    assert list_of(["3600,60"], splits=True, of_integers=True) == [3600, 60]
    assert map_of(["team=vision", "stage=a=b", "any"]) == {"team": "vision", "stage": "a=b", "any": None}
    assert map_of(['{"team": "vision"}']) == {"team": "vision"}


def test_options_go_over_the_values_of_a_body() -> None:
    fields = {field.key: field for field in fields_of(SetGuardRailsRequest)}
    given = json.dumps({"limits": {"budget": "5", "spend": "7"}, "replace": True})
    values: dict[str, Any] = {"field_limits__budget": "9", "field_replace": None, "field_account_id": "a"}
    assert body_of(fields, values, given, None) == {
        "limits": {"budget": "9", "spend": "7"},
        "replace": True,
        "accountId": "a",
    }


@pytest.mark.parametrize(
    ("text", "month"),
    [(None, "2026-11"), ("2025-01", "2025-01"), ("last", "2026-10"), ("-11", "2025-12"), ("this", "2026-11")],
)
def test_a_month_is_read(text: str | None, month: str) -> None:
    assert month_of(text, NOW) == month
    assert after("2026-12") == "2027-01"
    assert after("2026-01") == "2026-02"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(28_800, "in 8 h"), (29_000, "in 8 h 3 min"), (59, "in 59 s"), (200_000, "in 2 d 7 h"), (-3600, "1 h ago")],
)
def test_the_time_left_is_said_in_two_units(seconds: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASEBOOK_LANG", "en")
    assert left_in_words(NOW + timedelta(seconds=seconds), NOW) == words


def test_only_a_time_of_the_api_is_one() -> None:
    assert time_of_cell("2026-11-30T21:43:59+08:00") == NOW
    assert time_of_cell("2026-11-30T13:43:59Z") == datetime(2026, 11, 30, 13, 43, 59, tzinfo=UTC)
    for other in ("2026-11", "2026-11-30 21:43:59", "2026-11-30T21:43:59", "2026-13-30T21:43:59Z+++", 7, None):
        assert time_of_cell(other) is None


def test_columns_are_those_with_values_and_wrong_ones_have_a_nearest() -> None:
    rows = [flat({"instanceId": "unit-1", "a": {"b": 1}, "name": None, "tags": {"team": "x"}})]
    assert all_columns(rows, ("name", "instanceId", "a.b"), "") == ["instanceId", "a.b", "tags"]
    assert chosen_columns(rows, ("region",), ["INSTANCEID", "a.b"]) == ["instanceId", "a.b"]
    with pytest.raises(click.BadParameter, match="Do you mean region"):
        chosen_columns(rows, ("region",), ["regoin"])


def test_a_query_takes_a_part_and_a_wrong_one_is_named() -> None:
    assert queried("a[].b", {"a": [{"b": 1}, {"b": 2}]}) == [1, 2]
    assert queried(None, {"a": 1}) == {"a": 1}
    with pytest.raises(click.BadParameter, match="JMESPath"):
        queried("a[", {})


@pytest.mark.parametrize(
    ("amount", "text"), [("0.4", "0.40"), ("192", "192.00"), ("0.000125", "0.000125"), ("1E+2", "100.00")]
)
def test_an_amount_has_two_places_at_least(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text
