"""The projects in which the things of an account were, read from the store."""

from __future__ import annotations

from typing import Any

from leasebook.domain.model.resource.project import public_project
from leasebook.domain.model.resource.whereabouts import Whereabouts
from leasebook.domain.values.resource_tags import kind_of
from leasebook.ports.queries.read_repository import ReadRepository


def whereabouts_of(ask: ReadRepository, account_id: str) -> Whereabouts:
    """Return the projects in which the things of an account were. It asks the store for each thing that never moved."""
    known: dict[str, str | None] = {}

    def now_in(thing_id: str) -> str | None:
        if thing_id not in known:
            known[thing_id] = _project_of(ask, account_id, thing_id)
        return known[thing_id]

    return Whereabouts(ask.moves(account_id), now_in)


def _project_of(ask: ReadRepository, account_id: str, thing_id: str) -> str | None:
    row: Any
    match kind_of(thing_id):
        case "unit" | "tpm":
            row = ask.unit(thing_id)
        case "svco":
            row = ask.service(thing_id)
        case "pkg":
            row = ask.package(thing_id)
        case _:
            row = None
    return None if row is None or row.account_id != account_id else public_project(row.project_id)
