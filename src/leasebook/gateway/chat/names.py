"""Which service ``model`` names."""

from __future__ import annotations

import time
from typing import Final

from leasebook.contract import errors as e
from leasebook.contract.routes.chat import MODEL_MAX
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import SERVICES
from leasebook.domain.model.service_key import Key
from leasebook.gateway.fault import Fault
from leasebook.gateway.routes import FRESH_S
from leasebook.ports.queries.read_repository import Called, Reader

KNOWN_MAX: Final = 10_000
SERVICES_PATH: Final = "/services/"
SHOWN_MAX: Final = 64


def word_of(model: str) -> tuple[str, bool]:
    """Return the word that names the service, and whether it stood in an address."""
    before, found, rest = model.rpartition(SERVICES_PATH)
    if found and ("://" in before or not before or before.startswith("/")):
        return rest.partition("/")[0].partition("?")[0], True
    return model, False


class Names:
    """A cache of the services that one word names. A commit that changes a service clears it."""

    def __init__(self, reader: Reader, *, alone: bool) -> None:
        self._reader = reader
        self._alone = alone
        self._known: dict[tuple[str, str, str | None], tuple[float, list[Called]]] = {}
        self._turn = 0

    def committed(self, changes: Changes) -> None:
        """Forget everything if a batch changed a service."""
        if SERVICES in changes:
            self._turn += 1
            self._known.clear()

    async def find(self, key: Key, model: str) -> str:
        """Return the id of the service that ``model`` names for this key.

        An id goes before a urlSuffix, and that before a name. An address belongs to the first service that has it, as
        everywhere. Raises Fault if there is none, if the key opens none of them, or if there are several.
        """
        word, is_address = word_of(model)
        # A store takes no NUL, and no service has one in a name.
        is_possible = len(word) <= MODEL_MAX and "\0" not in word
        called = await self._called(key.account_id, word, None if is_address else key.service_id) if is_possible else []
        called = [one for one in called if key.sees(one.project_id)]
        by_id = [one for one in called if one.id == word]
        by_suffix = [one for one in called if one.suffix == word]
        by_name = [] if is_address else [one for one in called if one.name == word]
        found = by_id or by_suffix or by_name
        if not found:
            raise Fault(
                e.SERVICE_NOT_FOUND,
                f"There is no service {word[:SHOWN_MAX]!r} here. `model` is the id, the urlSuffix, the name or the "
                "address of one; GET /v2/models lists them.",
            )
        opened = [one for one in (found[:1] if is_address else found) if key.opens(one.id)]
        if not opened:
            raise Fault(e.ACCESS_DENIED, f"This key opens {key.service_id} only.")
        if len(opened) > 1:
            ids = ", ".join(one.id for one in opened)
            raise Fault(
                e.INAPPROPRIATE_JSON, f"{word[:SHOWN_MAX]!r} names several services: {ids}. Give an id. param[model]"
            )
        return opened[0].id

    async def _called(self, account_id: str, word: str, first: str | None) -> list[Called]:
        known = self._known.get((account_id, word, first))
        if known is not None and (self._alone or time.monotonic() - known[0] < FRESH_S):
            return known[1]
        turn, began = self._turn, time.monotonic()
        called = await self._reader.read(lambda ask: ask.services_called(account_id, word, first))
        # Words that name nothing are not kept: a caller could make up any number of them.
        if called and turn == self._turn:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[account_id, word, first] = began, called
        return called
