"""Parts that the OpenAPI document and the reference pages share: names of schemas, prose, and errors by status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from leasebook.contract.errors import ErrorCode

SCHEMA: Final = "#/components/schemas/{name}"
FAILURE: Final = "Failure"


def named(shape: Any) -> str:
    """Return the name of a shape, which is the key of its schema in the document."""
    return str(shape.__name__)


def prose(docstring: str) -> str:
    """Turn the double backticks of docstrings into Markdown's."""
    return docstring.replace("``", "`")


def by_status(errors: Iterable[ErrorCode]) -> dict[int, list[ErrorCode]]:
    """Sort errors under their HTTP status, each once."""
    found: dict[int, list[ErrorCode]] = {}
    for error in sorted(set(errors), key=lambda error: (error.status, error.number)):
        found.setdefault(error.status, []).append(error)
    return found
