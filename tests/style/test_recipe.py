"""The recipe for adding an action names files that are there, and no more of them than it promises."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.style.repository import ROOT, none

PAGE = ROOT / "docs" / "contributing" / "adding-an-action.md"
FILES_MAX = 9
NAMED = re.compile(r"`((?:src|tests|docs)/[^`]+|[A-Z]+\.md)`")
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


def missing(text: str) -> Iterator[str]:
    """The files that a text names and that are not there; ``<noun>`` is read as one of them."""
    for name in NAMED.findall(text):
        if not (ROOT / name.replace("<noun>", "account")).exists():
            yield f"docs/contributing/adding-an-action.md names {name}, which is not there: name what took its place"


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page, each a list of rows without its head."""
    found = [[[cell.strip() for cell in row.split("|")] for row in ROW.findall(part)] for part in text.split("\n\n")]
    return [rows[2:] for rows in found if rows]


def test_the_recipe_names_files_that_are_there() -> None:
    none(missing(PAGE.read_text()))
    assert list(missing("`tests/api/answer_shapes.py` and `CHANGELOG.md`"))


def test_no_action_takes_more_files_than_the_recipe_promises() -> None:
    _, kinds, _, example, _ = tables(PAGE.read_text())
    for what, steps, count in kinds:
        assert len(steps.split(",")) == int(count) <= FILES_MAX, what
    by_hand = [row for row in example if row[0] != "generated"]
    assert len(by_hand) + len(["CHANGELOG.md"]) <= FILES_MAX


def test_the_recipe_names_every_field_of_a_record() -> None:
    _, _, fields, _, _ = tables(PAGE.read_text())
    source = (ROOT / "tests" / "actions" / "record.py").read_text()
    declared = re.findall(r"^    (\w+): ", source.partition("class ActionRecord")[2], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(row[0] for row in fields)) == [
        declared[0],
        declared[2],
        declared[1],
        *declared[3:],
    ]
