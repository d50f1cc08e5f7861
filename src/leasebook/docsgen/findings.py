"""The findings of ``leasebook check``, and what ``doctor`` quotes of a server, as texts of a catalogue.

They are made by code as messages are, and their texts are read from the sources in the same way.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from leasebook.docsgen.messages import Found, is_known_again
from leasebook.store.verify.rows import CALLED

CHECKS: Final = (
    *("ports/clock.py", "reconciler/unserved.py", "store/costs/check.py", "store/maintenance/accept_loss.py"),
    *("store/sqlite/mark.py", "store/verify"),
)
"""Every text in them may be in a finding, apart from docstrings and SQL."""
LISTS: Final = ("api/health.py", "engines/sandbox/layers.py")
"""Every text in them that is added to a list may be in one."""
SENTENCES: Final = ("api/unrun_warnings.py", "engines/registry.py", "store/maintenance/diagnosis.py")
"""Sentences in them that are returned or raised may be in one."""
LEFT_OUT: Final = ("store/verify/unproved.py",)
"""A page has its reasons, and no finding."""
QUERIES: Final = frozenset({"execute", "fetch"})
ADDING: Final = frozenset({"append", "insert"})
NAMES: Final = ("access key", "account", "count of calls of service", "model", "replica", "root", "service key", "user")
"""Words before ids, besides those for rows."""
PARTS: Final = (
    *("arrears", "balances", "charges", "costs", "events", "facts", "identities", "limits", "models", "orders"),
    *("placements", "postings", "reminders", "replicas", "service keys", "services", "signatures", "stock", "tags"),
    *("accounts", "database's", "machine's", "page", "trust", "users"),
)
"""Parts of a check that have a name of one word, and other words that stand as values."""
_SQL: Final = re.compile(
    r"\b(AND|CASE|CAST|FROM|IN \(|IS NULL|IS NOT NULL|JOIN|LIMIT \?|ORDER BY|OR|PRAGMA|SAVEPOINT|SET|WHEN|WHERE)\b|"
    r"<>|\w+\.\w+ [=>+]|, \w+_\w+, \w+_\w+|stat(us|e) (=|IN|NOT)|due_at"
)
_PLACE: Final = re.compile(r"\{\d+\}")


@cache
def finding_texts(package: Path) -> frozenset[str]:
    """Return the texts of findings; ``package`` is the folder of the sources."""
    return frozenset(map(_numbered, _all_texts(package)))


def _all_texts(package: Path) -> Iterator[str]:
    kinds = ((CHECKS, _OfCheck(every=True)), (LISTS, _OfLists(every=False)), (SENTENCES, Found(every=False)))
    for places, kind in kinds:
        for place in places:
            for path in _files(package, place):
                kind.visit(ast.parse(path.read_text(encoding="utf-8")))
        yield from (text for text in kind.texts if is_known_again(text) and _SQL.search(text) is None)
    yield from PARTS
    for name in (*NAMES, *CALLED.values()):
        yield name
        yield f"{name} {{1}}"


def _files(package: Path, place: str) -> Iterator[Path]:
    at = package / place
    for path in [at] if at.is_file() else sorted(at.rglob("*.py")):
        if not any(path.is_relative_to(package / one) for one in LEFT_OUT):
            yield path


def _numbered(text: str) -> str:
    """Return a text whose values are numbers in the order of the text: some are filled in twice."""
    numbers = iter(range(1, len(text)))
    return _PLACE.sub(lambda _place: f"{{{next(numbers)}}}", text)


def _name_of(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


class _OfCheck(Found):
    """Collects the texts of the checks, and none of their queries."""

    def visit_Call(self, node: ast.Call) -> None:  # noqa: N802 - the name of the base class
        """Pass over queries."""
        if _name_of(node) not in QUERIES:
            super().visit_Call(node)


class _OfLists(Found):
    """Collects the texts that are added to lists."""

    def visit_Call(self, node: ast.Call) -> None:  # noqa: N802 - the name of the base class
        """Take the texts that are added."""
        self.within(node, takes=_name_of(node) in ADDING)
