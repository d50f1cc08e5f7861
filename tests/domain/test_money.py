"""Money: read exactly, written exactly, never out of range."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.values.money import MICRO_MAX, MICRO_PER_UNIT, BadAmount, amount_text, checked, parse_amount

READABLE_MAX = MICRO_MAX // MICRO_PER_UNIT * MICRO_PER_UNIT - 1
"""The largest amount that can be read: sizes are compared in whole units."""

amounts = st.one_of(
    st.integers(-READABLE_MAX, READABLE_MAX),
    st.integers(-2 * MICRO_PER_UNIT, 2 * MICRO_PER_UNIT),
    st.integers(-10_000, 10_000).map(lambda whole: whole * MICRO_PER_UNIT),
)

READ = [
    ("12.5", 12_500_000),
    ("0", 0),
    ("-0", 0),
    ("0.00", 0),
    ("0.000001", 1),
    ("-0.000001", -1),
    ("1.000000", 1_000_000),
    ("1.00000000", 1_000_000),
    (".5", 500_000),
    ("+5", 5_000_000),
    ("863.50", 863_500_000),
    ("4611686018426.999999", READABLE_MAX),
    ("-4611686018426.999999", -READABLE_MAX),
]

ODD = [
    *(
        "12_50",
        "1_000",
        "\u0665",
        "\uff15",
        " 5 ",
        "5 ",
        "\n5",
        "5.",
        "1e3",
        "1e-6",
        "1E3",
        "1e999999",
        ".",
        "+",
        "5..",
        "--5",
    ),
    *("NaN", "sNaN", "Infinity", "-Infinity", "\u00b2", "5\u00a0", "1\uff0e5", "0b1", "1'000"),
]

REFUSED = [
    ("", "is not a plain decimal number"),
    ("twelve", "is not a plain decimal number"),
    ("1,5", "is not a plain decimal number"),
    ("0x10", "is not a plain decimal number"),
    ("1.2.3", "is not a plain decimal number"),
    ("12 CNY", "is not a plain decimal number"),
    *((text, "is not a plain decimal number") for text in ODD),
    ("0.0000001", "has more than six decimal places"),
    ("1.9999999", "has more than six decimal places"),
    ("4611686018427", "is too large"),
    ("-4611686018427", "is too large"),
]

WRITTEN = [
    (0, "0.00"),
    (1, "0.000001"),
    (-1, "-0.000001"),
    (10, "0.00001"),
    (500_000, "0.50"),
    (1_000_000, "1.00"),
    (1_234_000, "1.234"),
    (1_234_560, "1.23456"),
    (-863_500_000, "-863.50"),
    (MICRO_MAX - 1, "4611686018427.387903"),
]


@pytest.mark.parametrize(("text", "amount"), READ)
def test_a_decimal_number_is_read_exactly(text: str, amount: int) -> None:
    assert parse_amount(text) == amount
    assert parse_amount(Decimal(text)) == amount


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_is_no_amount_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadAmount, match=re.escape(why)):
        parse_amount(text)


@pytest.mark.parametrize(("amount", "text"), WRITTEN)
def test_an_amount_is_written_with_two_to_six_places(amount: int, text: str) -> None:
    assert amount_text(amount) == text


@given(amounts)
def test_what_is_written_is_read_back_as_the_same_amount(amount: int) -> None:
    text = amount_text(amount)
    assert re.fullmatch(r"-?\d+\.\d{2,6}", text)
    assert parse_amount(text) == amount


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_an_amount_that_is_read_has_the_value_of_its_text(value: Decimal) -> None:
    try:
        amount = parse_amount(f"{value:f}")
    except BadAmount:
        assert abs(value) >= MICRO_MAX // MICRO_PER_UNIT
    else:
        assert Decimal(amount) == value.scaleb(6)


@pytest.mark.parametrize("amount", [0, 1, -1, MICRO_MAX - 1, 1 - MICRO_MAX])
def test_an_amount_inside_the_range_passes(amount: int) -> None:
    assert checked(amount) == amount


@pytest.mark.parametrize("amount", [MICRO_MAX, -MICRO_MAX, 2**63, -(2**63), 10**30])
def test_an_amount_outside_the_range_is_an_overflow(amount: int) -> None:
    with pytest.raises(OverflowError, match="out of range"):
        checked(amount)


def test_the_sum_of_two_amounts_fits_into_64_bits() -> None:
    assert 2 * (MICRO_MAX - 1) < 2**63
