"""An example answer that is not what a real one looks like is found, and one that is shorter is fine."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import inspect
from tests.wire.likeness import differences


class LikeRow(msgspec.Struct):
    """An entry of a list."""

    name: str
    note: str | None = None


class LikePage(msgspec.Struct):
    """An answer with a list, an object with keys that are data, and something optional."""

    rows: list[LikeRow]
    counts: dict[str, int]
    more: str | None = None


REAL = {"rows": [{"name": "a"}, {"name": "b", "note": "c"}], "counts": {"x": 1, "y": 2}}


def found(example: Any) -> list[str]:
    return list(differences(inspect.type_info(LikePage), example, REAL))


@pytest.mark.parametrize(
    "rows", [[{"name": "z"}], [{"name": "z", "note": "w"}], [{"name": "z", "note": "w"}, {"name": "z"}]]
)
def test_some_of_the_entries_with_other_values_look_like_all_of_them(rows: Any) -> None:
    assert found({"rows": rows, "counts": {"other": 3}}) == []


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({**REAL, "more": "z"}, "result.more is in the example only"),
        ({"rows": REAL["rows"]}, "result.counts is not in the example, and really {'x': 1, 'y': 2}"),
        ({**REAL, "rows": []}, "result.rows has 0 entries in the example, and really 2"),
        ({**REAL, "rows": [{"name": "z", "extra": 1}]}, "result.rows[0].extra is in the example only"),
        ({**REAL, "rows": [{"name": 5}]}, "result.rows[0].name is 5 in the example, and really 'a'"),
        ({**REAL, "rows": [{"name": None}]}, "result.rows[0].name is None in the example, and really 'a'"),
        ({**REAL, "counts": {"x": "1"}}, "result.counts[0] is '1' in the example, and really 1"),
    ],
)
def test_what_a_real_answer_does_not_have_or_the_example_lacks_is_found(example: Any, said: str) -> None:
    assert found(example) == [said]
