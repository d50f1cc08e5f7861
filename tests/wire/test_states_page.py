"""The page of statuses: every move of the table, under the status that it starts from, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from leasebook.contract.shapes import UnitStatus as Shown
from leasebook.docsgen.pages import pages
from leasebook.docsgen.reference import states_page
from leasebook.domain.model.instance import GONE, LEGAL, MOVES, UP, InstanceStatus

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| \[(\w+)\]\(#(\w+)\) \| (.+) \|$", re.MULTILINE)


def parts() -> dict[str, str]:
    """The text under each heading of the page."""
    found = re.split(r"^## (\w+)\n", states_page(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_every_move_stands_under_its_status_with_what_causes_it_and_there_is_no_other() -> None:
    found = {
        (None if title == "New" else title, end, cause)
        for title, text in parts().items()
        for end, _, cause in ROW.findall(text)
    }
    assert found == {tuple(move) for move in MOVES}


def test_every_status_has_a_part_and_every_row_leads_to_one() -> None:
    assert list(parts()) == ["New", *get_args(InstanceStatus)]
    for name, anchor, _ in ROW.findall(states_page()):
        assert anchor == name.lower()
    for status in GONE:
        assert "Nothing comes after it." in parts()[status]


def test_the_first_table_says_what_each_status_means() -> None:
    overview = states_page().partition("\n## ")[0]
    said = {name: cells.split(" | ") for name, _, cells in ROW.findall(overview)}
    assert said == {
        status: ["yes" if fact else "no" for fact in (status not in GONE, status in UP, (status, "Releasing") in LEGAL)]
        for status in get_args(InstanceStatus)
    }


def test_callers_see_the_statuses_of_the_rules() -> None:
    assert set(get_args(Shown)) == set(get_args(InstanceStatus))


def test_the_page_is_written_with_the_others_and_the_index_leads_to_it() -> None:
    written = pages()
    assert written["api/states.md"] == states_page() == (DOCS / "api" / "states.md").read_text()
    assert "(api/states.md)" in (DOCS / "README.md").read_text()
    assert "(states.md)" in written["api/reference.md"]
