"""Checks of a store that may be damaged: every part is checked, even if others cannot be."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from leasebook.store.errors import BadStore
from leasebook.store.queries.read_repository import Fetch

Shelter = Callable[[], AbstractContextManager[Any]]
"""Opens a context around a part, so that its errors do not end the transaction of the next."""

SAME_MAX: Final = 3
"""Queries for the same page that are allowed. More of them mean that damaged rows are out of order, in a loop."""
SAID_MAX: Final = 200


class OutOfOrderError(Exception):
    """Paging over rows does not advance, as in a damaged tree."""


class Looking:
    """Collects the findings of the parts, one after another."""

    def __init__(self, fetch: Fetch, shelter: Shelter = nullcontext, findings: Sequence[str] = ()) -> None:
        self._fetch = fetch
        self._shelter = shelter
        self._asked: Counter[int] = Counter()
        self.findings: list[str] = list(findings)

    def fetch(self, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query; raises OutOfOrderError if paging does not advance."""
        if "ORDER BY" in text:
            asked = hash((text, *params))
            self._asked[asked] += 1
            if self._asked[asked] > SAME_MAX:
                raise OutOfOrderError("its rows lie in no order")
        return self._fetch(text, params)

    def part(self, what: str, lines: Iterable[str]) -> None:
        """Collect a part's findings. An error that ends the part is a finding, too."""
        self._asked.clear()
        try:
            with self._shelter():
                for line in lines:
                    self.findings.append(line)
        except BadStore:
            raise
        except Exception as error:  # noqa: BLE001 - whatever damage leads to, the rest is looked at
            self.findings.append(f"{what} could not be checked to the end: {said(error)}")

    def ask(self, what: str, question: Callable[[], Any], otherwise: Any) -> Any:
        """Return the answer to a question; after an error ``otherwise``, and the error is a finding."""
        found = [otherwise]

        def lines() -> Iterable[str]:
            found[0] = question()
            return ()

        self.part(what, _later(lines))
        return found[0]


def _later(lines: Callable[[], Iterable[str]]) -> Iterable[str]:
    yield from lines()


def said(error: Exception) -> str:
    """Return an error on one line."""
    text = " ".join(str(error).split())[:SAID_MAX]
    return text if isinstance(error, OutOfOrderError | sqlite3.Error) else f"{type(error).__name__} {text}".rstrip()
