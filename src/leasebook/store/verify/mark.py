"""The check by the high-water mark: whether the embedded store has every acknowledged page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leasebook.security.audit_keys import AuditKeys
from leasebook.store.errors import BadStore
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.sqlite.mark import Mark, Marked, position


class MarkCheck:
    """The mark as it was before the check began: a server may move it meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._marked: Marked | None = None
        self._damaged: str | None = None
        try:
            self._marked = Mark(directory).read()
        except BadStore as error:
            self._damaged = str(error)

    def findings(self, fetch: Fetch, keys: AuditKeys | None) -> Iterator[str]:
        """Yield the mark's faults; its seal is verified if there are ``keys``."""
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
