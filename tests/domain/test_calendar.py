"""Calendar arithmetic, against oracles that do it in other ways."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.values.calendar import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    BadTime,
    Instant,
    add_months,
    from_datetime,
    next_full_hour,
    parse_time,
    rfc3339,
    to_datetime,
    zone_names,
)
from tests.depth import few

ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Asia/Kathmandu",  # +05:45
    "America/St_Johns",  # -03:30, with summer time
    "Australia/Lord_Howe",  # summer time of half an hour
    "Pacific/Chatham",  # +12:45, with summer time
    "Pacific/Kiritimati",  # +14
    "Etc/GMT+12",  # -12
    "America/New_York",
    "Europe/London",
    "Africa/Casablanca",  # summer time takes a break in Ramadan
    "Antarctica/Troll",  # summer time of two hours
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text))


FROM, TO = at("2000-01-01T00:00:00Z"), at("2090-01-01T00:00:00Z")


@lru_cache
def shifts(zone: str) -> tuple[Instant, ...]:
    """Return the moments of 2024 to 2031 at which the zone's offset changes, found by halving days."""

    def offset(instant: int) -> timedelta | None:
        return (EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).utcoffset()

    found = []
    for day in range(at("2024-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"), DAY_US):
        low, high = day, day + DAY_US
        if offset(low) != offset(high):
            while high - low > SECOND_US:
                middle = (low + high) // 2 // SECOND_US * SECOND_US
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append(Instant(high))
    return tuple(found)


@st.composite
def zones_and_instants(draw: st.DrawFn) -> tuple[str, Instant]:
    """Any moment in any zone, every other time one near a change of the clocks."""
    zone = draw(st.sampled_from(ZONES))
    near = shifts(zone)
    beside: bool = draw(st.booleans())
    if near and beside:
        shift = draw(st.sampled_from(near))
        minutes = draw(st.integers(-180, 180))
        return zone, Instant(shift + minutes * MINUTE_US + draw(st.sampled_from((0, 1, -1, 30 * SECOND_US))))
    return zone, Instant(draw(st.integers(FROM, TO)))


def test_seven_of_the_zones_change_their_clocks_twice_a_year_and_more() -> None:
    changes = [len(shifts(zone)) for zone in ZONES]
    assert sum(count >= 14 for count in changes) == 7
    assert changes.count(0) == 5


# Months


@given(zones_and_instants(), st.integers(1, 36))
def test_months_are_added_as_another_calendar_adds_them(place: tuple[str, Instant], months: int) -> None:
    zone, anchor = place
    local = to_datetime(anchor, zone)
    expected = (local + relativedelta(months=months)).replace(fold=0)
    assert add_months(anchor, months, zone) == from_datetime(expected.astimezone(UTC))


@given(zones_and_instants(), st.integers(1, 36))
def test_a_term_ends_at_the_local_time_at_which_it_began_unless_that_is_skipped(
    place: tuple[str, Instant], months: int
) -> None:
    zone, anchor = place
    first, end = to_datetime(anchor, zone), to_datetime(add_months(anchor, months, zone), zone)
    year, month0 = divmod(first.year * 12 + first.month - 1 + months, 12)
    wanted = datetime(
        year, month0 + 1, min(first.day, calendar.monthrange(year, month0 + 1)[1]), tzinfo=ZoneInfo(zone)
    ).date()
    if end.timetz().replace(tzinfo=None) == first.timetz().replace(tzinfo=None):
        assert end.date() == wanted
    else:
        # The clocks skip it there; the end moves by no more than what they skip.
        skipped = datetime.combine(wanted, first.time())
        assert timedelta(0) < end.replace(tzinfo=None) - skipped <= timedelta(hours=2)


ANCHORED = [
    ("2030-01-31T09:00:00+08:00", 1, "2030-02-28T09:00:00+08:00"),
    ("2030-01-31T09:00:00+08:00", 2, "2030-03-31T09:00:00+08:00"),
    ("2030-01-31T09:00:00+08:00", 3, "2030-04-30T09:00:00+08:00"),
    ("2030-01-31T09:00:00+08:00", 12, "2031-01-31T09:00:00+08:00"),
    ("2028-01-31T09:00:00+08:00", 1, "2028-02-29T09:00:00+08:00"),
    ("2028-02-29T09:00:00+08:00", 12, "2029-02-28T09:00:00+08:00"),
    ("2030-12-31T23:59:59.999999+08:00", 2, "2031-02-28T23:59:59.999999+08:00"),
    ("2030-11-30T00:00:00+08:00", 3, "2031-02-28T00:00:00+08:00"),
    # The month is the zone's, not that of UTC: in Shanghai it is the 1st already.
    ("2030-01-31T16:30:00+00:00", 1, "2030-03-01T00:30:00+08:00"),
]


@pytest.mark.parametrize(("anchor", "months", "end"), ANCHORED)
def test_terms_are_counted_from_their_first_day(anchor: str, months: int, end: str) -> None:
    assert rfc3339(add_months(at(anchor), months, "Asia/Shanghai"), "Asia/Shanghai") == end


SHIFTED = [
    # 10 March 2030, 02:30, is skipped; the end is the same distance after the gap as it would be inside it.
    ("America/New_York", "2030-02-10T02:30:00-05:00", 1, "2030-03-10T03:30:00-04:00"),
    # 3 November 2030, 01:30, comes twice; the earlier one.
    ("America/New_York", "2030-10-03T01:30:00-04:00", 1, "2030-11-03T01:30:00-04:00"),
    # Begun in the second 01:30: a month later there is only one.
    ("America/New_York", "2030-11-03T01:30:00-05:00", 1, "2030-12-03T01:30:00-05:00"),
    ("Australia/Lord_Howe", "2030-09-06T02:15:00+10:30", 1, "2030-10-06T02:45:00+11:00"),
    ("Pacific/Kiritimati", "2030-01-31T00:00:00+14:00", 1, "2030-02-28T00:00:00+14:00"),
    ("Etc/GMT+12", "2030-01-31T23:59:00-12:00", 1, "2030-02-28T23:59:00-12:00"),
]


@pytest.mark.parametrize(("zone", "anchor", "months", "end"), SHIFTED)
def test_terms_over_a_change_of_the_clocks(zone: str, anchor: str, months: int, end: str) -> None:
    assert rfc3339(add_months(at(anchor), months, zone), zone) == end


# Full hours


def walk_to_full_hour(after: Instant, zone: str) -> Instant:
    """Look at the clock each minute until the minute hand is at twelve."""
    moment = after // MINUTE_US * MINUTE_US
    while True:
        moment += MINUTE_US
        shown = (EPOCH + timedelta(microseconds=moment)).astimezone(ZoneInfo(zone))
        if (shown.minute, shown.second) == (0, 0):
            return Instant(moment)


@settings(max_examples=few(40, 200))
@given(zones_and_instants())
def test_the_next_full_hour_is_the_one_that_a_look_at_the_clock_each_minute_finds(place: tuple[str, Instant]) -> None:
    zone, after = place
    assert next_full_hour(after, zone) == walk_to_full_hour(after, zone)


def test_the_next_full_hour_around_every_change_of_the_clocks() -> None:
    for zone, shift in ((place, shift) for place in ZONES for shift in shifts(place)[:4]):
        for minutes in range(-125, 65, 5):
            for beside in (-1, 0, 1):
                after = Instant(shift + minutes * MINUTE_US + beside)
                assert next_full_hour(after, zone) == walk_to_full_hour(after, zone), (zone, rfc3339(after, zone))


FULL_HOURS = [
    ("UTC", "2030-01-01T10:00:00+00:00", "2030-01-01T11:00:00+00:00"),
    ("UTC", "2030-01-01T10:59:59.999999+00:00", "2030-01-01T11:00:00+00:00"),
    ("Asia/Kathmandu", "2030-01-01T10:15:00+05:45", "2030-01-01T11:00:00+05:45"),
    ("America/St_Johns", "2030-01-01T23:30:00-03:30", "2030-01-02T00:00:00-03:30"),
    # Lord Howe falls back from 02:00 to 01:30, and springs forward from 02:00 to 02:30.
    ("Australia/Lord_Howe", "2030-04-07T01:10:00+11:00", "2030-04-07T02:00:00+10:30"),
    ("Australia/Lord_Howe", "2030-10-06T01:10:00+10:30", "2030-10-06T03:00:00+11:00"),
    # New York skips 02:00 and shows 01:00 twice.
    ("America/New_York", "2030-03-10T01:30:00-05:00", "2030-03-10T03:00:00-04:00"),
    ("America/New_York", "2030-11-03T01:30:00-04:00", "2030-11-03T01:00:00-05:00"),
]


@pytest.mark.parametrize(("zone", "after", "hour"), FULL_HOURS)
def test_the_next_full_hour_of_odd_clocks(zone: str, after: str, hour: str) -> None:
    assert rfc3339(next_full_hour(at(after), zone), zone) == hour


@given(zones_and_instants())
def test_hours_follow_each_other_and_never_stand_still(place: tuple[str, Instant]) -> None:
    zone, after = place
    hour = next_full_hour(after, zone)
    assert after < hour <= after + 2 * HOUR_US
    assert next_full_hour(Instant(hour - 1), zone) == hour


# Reading and writing times

READ = [
    # RFC 3339, whatever the service's zone.
    ("2030-01-15T09:30:00+08:00", "UTC", "2030-01-15T01:30:00+00:00"),
    ("2030-01-15T09:30:00Z", "Asia/Shanghai", "2030-01-15T09:30:00+00:00"),
    ("2030-01-15t09:30:00z", "Asia/Shanghai", "2030-01-15T09:30:00+00:00"),
    ("2030-01-15T09:30:00-00:00", "UTC", "2030-01-15T09:30:00+00:00"),
    ("2030-01-15T09:30:00.5Z", "UTC", "2030-01-15T09:30:00.500000+00:00"),
    ("2030-01-15T09:30:00.123456Z", "UTC", "2030-01-15T09:30:00.123456+00:00"),
    ("2030-01-15T09:30:00.123456789Z", "UTC", "2030-01-15T09:30:00.123456+00:00"),
    ("2030-01-15T09:30:00+14:00", "UTC", "2030-01-14T19:30:00+00:00"),
    ("2030-01-15T09:30:00-12:00", "UTC", "2030-01-15T21:30:00+00:00"),
    ("2028-02-29T00:00:00Z", "UTC", "2028-02-29T00:00:00+00:00"),
    # Without a zone: the service's.
    ("2030-01-15 09:30:00", "Asia/Shanghai", "2030-01-15T01:30:00+00:00"),
    ("2030-01-15 09:30:00", "UTC", "2030-01-15T09:30:00+00:00"),
    ("2030-01-15 09:30:00", "Asia/Kathmandu", "2030-01-15T03:45:00+00:00"),
    ("2030-01-15 09:30:00", "America/St_Johns", "2030-01-15T13:00:00+00:00"),
    ("2030-01-15 00:00:00", "Pacific/Kiritimati", "2030-01-14T10:00:00+00:00"),
    # Doubled: the earlier one.
    ("2030-11-03 01:30:00", "America/New_York", "2030-11-03T05:30:00+00:00"),
    ("2030-04-07 01:45:00", "Australia/Lord_Howe", "2030-04-06T14:45:00+00:00"),
    # The last moment before a gap, and the first one after it.
    ("2030-03-10 01:59:59", "America/New_York", "2030-03-10T06:59:59+00:00"),
    ("2030-03-10 03:00:00", "America/New_York", "2030-03-10T07:00:00+00:00"),
]

REFUSED = [
    # Skipped by the clocks.
    ("2030-03-10 02:00:00", "America/New_York", "skip"),
    ("2030-03-10 02:59:59", "America/New_York", "skip"),
    ("2030-10-06 02:15:00", "Australia/Lord_Howe", "skip"),
    ("2011-12-30 12:00:00", "Pacific/Apia", "skip"),
    # No dates.
    ("2030-02-29 00:00:00", "UTC", "no moment"),
    ("2030-13-01 00:00:00", "UTC", "no moment"),
    ("2030-00-10T00:00:00Z", "UTC", "no moment"),
    ("2030-04-31T00:00:00Z", "UTC", "no moment"),
    ("2030-01-01T24:00:00Z", "UTC", "no moment"),
    ("2030-01-01T23:60:00Z", "UTC", "no moment"),
    ("2030-01-01T23:59:60Z", "UTC", "no moment"),
    ("2030-01-01T00:00:00+24:00", "UTC", "neither RFC 3339"),
    ("0000-01-01T00:00:00Z", "UTC", "no moment"),
    # Other forms.
    ("", "UTC", "neither"),
    ("tomorrow", "UTC", "neither"),
    ("2030-01-01", "UTC", "neither"),
    ("2030-01-01T012:30:00+08:00", "UTC", "neither"),
    ("2030-01-01T12:30+08:00", "UTC", "neither"),
    ("2030-01-01T12:30:00", "UTC", "neither"),
    ("2030-01-01 12:30:00Z", "UTC", "neither"),
    ("2030-01-01 12:30:00.5", "UTC", "neither"),
    ("2030-01-01T12:30:00+0800", "UTC", "neither"),
    ("2030-01-01T12:30:00+08", "UTC", "neither"),
    ("2030-01-01T12:30:00.Z", "UTC", "neither"),
    ("2030-01-01T12:30:00.1234567890Z", "UTC", "neither"),
    ("2030-1-1 1:00:00", "UTC", "neither"),
    ("20300101T123000Z", "UTC", "neither"),
    ("+2030-01-01 12:30:00", "UTC", "neither"),
    (" 2030-01-01 12:30:00", "UTC", "neither"),
    ("2030-01-01 12:30:00\n", "UTC", "neither"),
    ("２０３０-01-01 12:30:00", "UTC", "neither"),  # noqa: RUF001 - digits of another script
    ("1893456000", "UTC", "neither"),
]


@pytest.mark.parametrize(("text", "zone", "moment"), READ)
def test_both_forms_of_time_are_read(text: str, zone: str, moment: str) -> None:
    assert rfc3339(parse_time(text, zone), "UTC") == moment


@pytest.mark.parametrize(("text", "zone", "why"), REFUSED)
def test_what_names_no_moment_is_refused_with_the_reason(text: str, zone: str, why: str) -> None:
    with pytest.raises(BadTime, match=why):
        parse_time(text, zone)


@given(zones_and_instants())
def test_a_moment_that_is_written_is_read_back_in_every_zone(place: tuple[str, Instant]) -> None:
    zone, moment = place
    assert parse_time(rfc3339(moment, zone), "Asia/Kathmandu") == moment


@given(zones_and_instants())
def test_a_local_time_is_read_as_a_moment_at_which_the_clocks_show_it(place: tuple[str, Instant]) -> None:
    zone, near = place
    local = to_datetime(near, zone).replace(tzinfo=None, microsecond=0)
    moment = parse_time(f"{local:%Y-%m-%d %H:%M:%S}", zone)
    assert to_datetime(moment, zone).replace(tzinfo=None) == local
    assert moment <= near, "the earlier of two"


@given(st.text(max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        parse_time(text, "Asia/Shanghai")
    except BadTime as error:
        assert str(error)  # noqa: PT017 - anything else is the failure


@given(zones_and_instants())
def test_an_instant_and_its_datetime_are_the_same_to_the_microsecond(place: tuple[str, Instant]) -> None:
    zone, moment = place
    assert from_datetime(to_datetime(moment, zone)) == moment


@given(zones_and_instants())
def test_a_time_is_written_as_the_library_writes_it(place: tuple[str, Instant]) -> None:
    zone, at = place
    assert rfc3339(at, zone) == to_datetime(at, zone).isoformat()


@pytest.mark.parametrize("name", sorted(zone_names())[::7])
def test_every_zone_that_may_be_given_has_clocks(name: str) -> None:
    at = Instant(1_893_456_000 * SECOND_US)
    assert parse_time(rfc3339(at, name), "UTC") == at


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory", "right/UTC", "posix/Europe/Berlin", "Asia", ""])
def test_what_means_another_zone_on_another_machine_may_not_be_given(name: str) -> None:
    assert name not in zone_names()
    assert {"UTC", "Asia/Shanghai", "Europe/Berlin", "Etc/GMT+1", "EST5EDT"} <= zone_names()
