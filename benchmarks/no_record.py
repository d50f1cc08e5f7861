"""A variant of the server for comparison: nothing of the audit log, and with ``nothing`` no events either.

No setting does this. ``benchmarks.record`` starts it: ``python -m benchmarks.no_record events serve ...``
"""

from __future__ import annotations

import sys
from typing import Any

from leasebook.api import app
from leasebook.cli.main import main
from leasebook.domain.book.book import Book
from leasebook.server import composition as wiring


class NoRecord:
    """A call without an audit entry."""

    written_code = ""
    body = b""

    def __init__(self, *_: Any) -> None:
        pass

    def _ignore(self, *_: Any) -> None:
        pass

    claimed = found = proved = asks = decided = written = line = _ignore


def without(what: str) -> None:
    """Leave out the audit log, and what else is not wanted."""
    wiring.__dict__["audit_writer_of"] = lambda *_: None
    app.__dict__["CallRecord"] = NoRecord
    if what == "nothing":
        Book._emit = lambda *_: None  # type: ignore[method-assign]  # noqa: SLF001


if __name__ == "__main__":
    without(sys.argv.pop(1))
    main()
