"""Names in a file: one for each thing, although the service lets several things have the same name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from leasebook.cli.house import words
from leasebook.cli.house.words import BadHouse

SHORT = 8
"""How many characters of an id tell things with the same name apart, at first."""


def labels(rows: Iterable[Mapping[str, Any]], id_key: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """Return the label of each row by its id: its name if no other row has it and it is none of ``taken``."""
    found = list(rows)
    counted, ids = Counter(row["name"] for row in found), {row[id_key] for row in found}
    used = {*taken, *ids, "", *counted}
    made: dict[str, str] = {}
    for row in found:
        name, row_id = row["name"], row[id_key]
        if counted[name] == 1 and name not in {*taken, *ids, ""}:
            made[row_id] = name
            continue
        size = SHORT
        while (label := f"{name} {row_id[:size]}".strip()) in used and size < len(row_id):
            size += 1
        used.add(label)
        made[row_id] = label
    return made


def found_by(
    rows: Iterable[Mapping[str, Any]], id_key: str, row_id: str | None, name: str, line: int
) -> Mapping[str, Any] | None:
    """Return the row of an id, or the only row of a name; None: there is none of that name. Raises BadHouse."""
    if row_id is not None:
        row = next((row for row in rows if row[id_key] == row_id), None)
        if row is None:
            raise BadHouse(words.no_such_id(row_id), line)
        return row
    same = [row for row in rows if row["name"] == name]
    if len(same) > 1:
        raise BadHouse(words.same_name(name, [row[id_key] for row in same]), line)
    return same[0] if same else None
