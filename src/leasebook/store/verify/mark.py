"""Whether the embedded store has everything that was acknowledged, by the high-water mark beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leasebook.security.audit_keys import AuditKeys
from leasebook.store.errors import BadStore
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.sqlite.mark import Mark, Marked, position


class MarkCheck:
    """What a data directory's mark said before the store was looked at: a server may move it on meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._marked: Marked | None = None
        self._damaged: str | None = None
        try:
            self._marked = Mark(directory).read()
        except BadStore as error:
            self._damaged = str(error)

    def findings(self, fetch: Fetch, keys: AuditKeys | None) -> Iterator[str]:
        """Yield what is wrong; the seal is looked at where there are ``keys``."""
        if self._damaged is not None:
            yield f"mark: {self._damaged}"
        if self._marked is None:
            return
        missing = self._marked.shortfall(sum(position(lambda text: fetch(text, ()))))
        if missing is not None:
            yield f"mark: {missing}"
        wrong = None if keys is None else self._marked.unproved(keys)
        if wrong is not None:
            yield f"mark: {wrong}"
