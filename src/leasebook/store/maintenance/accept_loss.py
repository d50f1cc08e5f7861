"""An operator's acceptance that the embedded store lacks acknowledged writes."""

from __future__ import annotations

from pathlib import Path

from leasebook.store.errors import BadStore
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.directory import MARK, locked
from leasebook.store.sqlite.mark import Mark, Seals, pages_in
from leasebook.store.sqlite.there import store_in


def accept_loss(directory: Path, seals: Seals | None) -> str:
    """Move the high-water mark away, so that the next start creates one; returns the accepted loss in words.

    The mark stays beside the store under another name. Its seal is verified if there are ``seals``. Raises BadStore if
    there is no store or no mark, or if the mark does not prevent a start, and StoreInUse.
    """
    path = store_in(directory, writing=True)
    with locked(directory):
        mark = Mark(directory)
        if not mark.path.exists():
            raise BadStore(f"There is no {MARK} in {directory}, so it keeps no server from starting.")
        why = _why(mark, path, seals)
        kept = mark.set_aside()
    return f"Accepted: {why}. The mark is kept as {kept}. Prove the books with leasebook check, and start the server."


def _why(mark: Mark, path: Path, seals: Seals | None) -> str:
    try:
        marked = mark.read()
    except BadStore as error:
        return str(error).partition(". ")[0]
    pages = pages_in(sqlite.connect(path, read_only=True), path)
    missing = None if marked is None else marked.shortfall(pages)
    if marked is None or missing is not None:
        return missing or "there is no mark"
    if seals is None:
        return f"the seal of {mark.path}, which was not looked at: the master key is not here"
    wrong = marked.unproved(seals)
    if wrong is None:
        raise BadStore(
            f"Nothing acknowledged is missing: {path} has {pages} pages, and {mark.path} says {marked.pages}."
        )
    return wrong
