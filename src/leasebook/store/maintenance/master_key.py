"""The parts of a master key's replacement outside the servers: announcing it, and sealing the ends of chains again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

import psycopg

from leasebook.domain.commands.store.master_key import NEXT_KEY
from leasebook.domain.record.audit_log import Sealed
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.beside import beside
from leasebook.store.opening import Target
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import AUDIT_CHAINS

AT_ONCE: Final = 100
"""Chains per transaction."""
_ALL: Final = f"SELECT {columns(AUDIT_CHAINS)} FROM audit_chains ORDER BY chain"
_SEAL: Final = (
    "UPDATE audit_chains SET seal = ? WHERE chain = ? AND number = ? AND hash = ? AND seal = ? RETURNING chain"
)


def announce(where: Target, fingerprint: str) -> None:
    """Announce the next master key to every server. Raises BadStore if the store cannot be written."""
    try:
        with beside(where, "rotate-master-key") as (run, transaction), transaction():
            run(
                "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value "
                "RETURNING name",
                (NEXT_KEY, fingerprint),
            )
    except (sqlite3.Error, psycopg.Error) as error:
        raise BadStore(f"{where.name} cannot be written: {error}") from None


def reseal_heads(where: Target, seal: Callable[[Sealed], bytes | None]) -> int:
    """Seal the ends of chains with the seals that ``seal`` returns (None: keep it); returns how many changed.

    An end that its server changes meanwhile is left for the next call. Raises BadStore.
    """
    found = 0
    try:
        with beside(where, "rotate-master-key") as (run, transaction):
            heads = [AUDIT_CHAINS.read(row) for row in run(_ALL, ())]
            changed = [(head, made) for head in heads if (made := seal(head)) is not None]
            for first in range(0, len(changed), AT_ONCE):
                with transaction():
                    for head, made in changed[first : first + AT_ONCE]:
                        run(_SEAL, (made, head.chain, head.number, head.hash, head.seal))
                        found += 1
    except (sqlite3.Error, psycopg.Error) as error:
        raise BadStore(f"{where.name} cannot be written: {error}") from None
    return found
