"""Helper classes of the tests: each name belongs to one class only, so that a reader can look it up."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping

from tests.style.repository import nodes, of


def same_names_of(sources: Mapping[str, str]) -> Mapping[str, int]:
    """How many classes have each name."""
    found = (node for text in sources.values() for node in nodes(text))
    return Counter(node.name for node in found if isinstance(node, ast.ClassDef))


def same_names() -> Mapping[str, int]:
    """The same of the tests."""
    return same_names_of(of(".py", "tests/"))
