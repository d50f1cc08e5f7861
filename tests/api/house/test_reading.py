"""A house file is small, plain and strict; values are written as people write them, and mistakes have a line."""

from __future__ import annotations

import pytest

from leasebook.cli.house import schema
from leasebook.cli.house.house import house_of
from leasebook.cli.house.reading import BYTES_MAX, Table, Text, read
from leasebook.cli.house.words import BadHouse


def mistake(text: str | bytes, **variables: str) -> tuple[int | None, str]:
    """Return the line and the message of a file that is refused."""
    with pytest.raises(BadHouse) as caught:
        house_of(text if isinstance(text, bytes) else text.encode(), variables)
    return caught.value.line, str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "The file is empty"),
        ("house: a\n---\nhouse: b\n", 2, "A second document"),
        ("house: &x a\n", 1, "Anchors"),
        ("a: &a [1]\nb: *a\n", 1, "Anchors"),
        ("b: *a\n", 1, "aliases"),
        ("house: !!python/object/apply:os.system [ls]\n", 1, "Tags"),
        ("house: a\noffering: {}\n", 2, "There is no key 'offering' here. Did you mean 'offerings'?"),
        ("house: a\nxyz: {}\n", 2, "Known here: house, offerings, accounts, subscriptions."),
        ("house: a\nhouse: b\n", 2, "'house' is on line 1 already"),
        ("house: a\naccounts:\n  x: {}\n  x: {}\n", 4, "'x' is on line 3 already"),
        ("accounts: {}\n", 1, "The key house is missing"),
        ("house: A b\n", 1, "'A b' is no name of a house"),
        ("house: [a]\n", 1, "One value is expected"),
        ("house: a\naccounts: 7\n", 2, "A table is expected"),
        ("house: a\nsubscriptions: {}\n", 2, "A list is expected"),
        ("house: a\nsubscriptions:\n - {types: [a]}\n", 3, "either webhook: with a URL, or email:"),
        (
            "house: a\nsubscriptions:\n - {email: a@b.cn, accounts: a, projects: b}\n",
            3,
            "over accounts:, or for projects:",
        ),
        ("house: a\nsubscriptions:\n - {email: a@b.cn}\n - {email: a@b.cn}\n", 4, "'a@b.cn' is on line 3 already"),
        ("house: a\nofferings: {gpu-1: {}}\n", 2, "'gpu-1' is no offering"),
        ("house: a\nofferings: {BJ/gpu-1: {}}\n", 2, "region: Expected small letters, digits and hyphens"),
        ("house: a\nofferings:\n  bj/gpu-1:\n    stock: lots\n", 4, "'lots' is no whole number"),
        ("house: a\naccounts:\n  [a, b]: 1\n", 3, "A key must be a text"),
        ("house: a\naccounts: {\n", 3, "This is not YAML"),
        ("house: a\n\tb: c\n", 2, "This is not YAML"),
        ("house: \x01\n", None, "This is not YAML"),
        (b"house: a\nb: \xff\n", 2, "not UTF-8"),
        (b"#" * (BYTES_MAX + 1), None, "bytes"),
        ("house: " + "[" * 30 + "]" * 30, 1, "nested more than 20 deep"),
        ("house: a\naccounts: {'${X}': {}}\n", 2, "The environment has no variable X."),
        ("house: a\naccounts: {'${a b}': {}}\n", 2, "'a b' is no name of a variable"),
        ("house: a\naccounts: {a: {limits: {budgetWarnPercent: [9]}}}\nx: 1\n", 3, "There is no key 'x'"),
    ],
)
def test_a_mistake_is_said_with_its_line(text: str | bytes, line: int | None, said: str) -> None:
    where, message = mistake(text)
    assert said in message
    assert where == line


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert mistake(bomb)[0] == 1


def test_texts_mean_nothing_by_themselves() -> None:
    tree = read(b"a: no\nb: 1_0\nc: 2026-11-30\nd: ~\ne: '~'\nf:\n", {})
    assert isinstance(tree, Table)
    values = [one for one in tree.entries.values() if isinstance(one, Text)]
    assert [one.value for one in values] == ["no", "1_0", "2026-11-30", "~", "~", ""]
    assert [one.is_null for one in values] == [False, False, False, True, False, True]


def test_a_variable_is_replaced_only_where_it_is_named() -> None:
    tree = read(b"a: x-${A}-${B}\nb: $A\nc: $${A}\n", {"A": "1", "B": ""})
    assert isinstance(tree, Table)
    texts = [one for one in tree.entries.values() if isinstance(one, Text)]
    assert [(one.value, one.shown) for one in texts] == [("x-1-", "x-${A}-${B}"), ("$A", "$A"), ("${A}", "${A}")]


def test_the_value_of_a_variable_is_in_no_message() -> None:
    text = "house: a\nofferings:\n  bj/cpu: {stock: '${SECRET}'}\n"
    line, message = mistake(text, SECRET="hunter2")
    assert (line, "hunter2" in message, "'${SECRET}'" in message) == (3, False, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("8h", 28800), ("2d", 172_800), ("1w", 604_800), ("1d12h", 129_600)],
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert schema.span(Text(text, 1, text)) == seconds
    assert schema.span(Text(schema.span_text(seconds), 1, "")) == seconds


@pytest.mark.parametrize("text", ["", "8", "h", "8 h", "12h1d", "1.5h", "-1h", "\u0668h", "8H"])
def test_other_lengths_of_time_are_refused(text: str) -> None:
    with pytest.raises(BadHouse):
        schema.span(Text(text, 1, text))


@pytest.mark.parametrize(
    ("text", "amount"), [("0", "0"), ("1000", "1000"), ("1,000.00", "1000.00"), ("0.000001", "0.000001")]
)
def test_amounts(text: str, amount: str) -> None:
    assert str(schema.amount(Text(text, 1, text))) == amount


@pytest.mark.parametrize("text", ["", "1,00", "1,0000", "1.", ".5", "-1", "1e3", "¥1", "1_0", "0.0000001", "\u0661"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(BadHouse):
        schema.amount(Text(text, 1, text))
