"""Counts that may only fall: each rule's limit, and the exceptions of today in ``exceptions.json``.

``python -m tests.style.ratchet`` writes lower counts into that file. It refuses higher ones. With ``--moved`` a count
may go up where another one of the same rule goes down: that is for code that moves from folder to folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.style.helpers import same_names
from tests.style.prose import phrases
from tests.style.sizes import crowded_folders, mutable_attributes
from tests.style.words import home_made_words

EXCEPTIONS = Path(__file__).with_name("exceptions.json")


class Rule(NamedTuple):
    """A count, the highest value that needs no exception, and the advice for a higher one."""

    measure: Callable[[], Mapping[str, int]]
    limit: int
    unit: str
    advice: str


RULES = {
    "files in a folder": Rule(crowded_folders, 15, "files", "part the folder by noun"),
    "helper classes of one name": Rule(same_names, 1, "classes of that name", "name each for what it is"),
    "home-made words": Rule(home_made_words, 0, "names with it", "take the word that GLOSSARY.md has instead"),
    "mutable attributes": Rule(mutable_attributes, 10, "mutable attributes", "part the class by what it owns"),
    "phrases": Rule(phrases, 0, "phrases", "say who does what: docs/contributing/writing.md"),
}


def exceptions() -> dict[str, dict[str, int]]:
    """Today's exceptions, rule by rule."""
    return json.loads(EXCEPTIONS.read_text())  # type: ignore[no-any-return]


def over(rule: Rule, counts: Mapping[str, int], listed: Mapping[str, int]) -> Iterator[str]:
    """Counts that are too high."""
    for name, count in counts.items():
        allowed = max(rule.limit, listed.get(name, 0))
        if count > allowed:
            yield f"{name}: {count} {rule.unit}, {allowed} are allowed: {rule.advice}"


def under(rule: Rule, counts: Mapping[str, int], listed: Mapping[str, int]) -> Iterator[str]:
    """Exceptions that are larger than what they are for."""
    for name, allowed in listed.items():
        count = counts.get(name, 0)
        if count <= rule.limit:
            yield f"{name} needs no exception any more ({rule.unit}): run python -m tests.style.ratchet"
        elif count < allowed:
            yield f"{name} has {count} {rule.unit}, {allowed} are listed: run python -m tests.style.ratchet"


def findings(rule: Rule, counts: Mapping[str, int], listed: Mapping[str, int]) -> Iterator[str]:
    """Both."""
    yield from over(rule, counts, listed)
    yield from under(rule, counts, listed)


def lowered(
    rule: Rule, counts: Mapping[str, int], listed: Mapping[str, int], *, moved: bool = False
) -> tuple[dict[str, int], list[str]]:
    """Return the list as it is to be written, and what speaks against writing it."""
    wanted = {name: count for name, count in sorted(counts.items()) if count > rule.limit}
    if moved:
        grown = sum(wanted.values()) - sum(listed.values())
        return wanted, [f"{grown} {rule.unit} more than before"] if grown > 0 else []
    return wanted, list(over(rule, counts, listed))


def main(*arguments: str) -> int:
    """Write lower counts into the list."""
    before = exceptions()
    after: dict[str, dict[str, int]] = {}
    against: list[str] = []
    for name, rule in RULES.items():
        after[name], reasons = lowered(rule, rule.measure(), before.get(name, {}), moved="--moved" in arguments)
        against += [f"{name}: {reason}" for reason in reasons]
    if against:
        sys.stderr.write("\n".join(against) + "\n")
        return 1
    EXCEPTIONS.write_text(json.dumps(after, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
