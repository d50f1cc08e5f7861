"""A new master key replaces the one that seals while servers work. Any server can go on with the change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from leasebook.batch import Sequencer
from leasebook.domain.commands.store.master_key import EndTurning, Reseal, Resealed, TurnMasterKey
from leasebook.domain.model.lease import Worker
from leasebook.domain.record.audit_log import Sealed, head_message
from leasebook.domain.record.identity_log import LOG_END, read_mark
from leasebook.ports.queries.identities import SealedRow
from leasebook.security.audit_keys import AuditKeys
from leasebook.security.keyring import SHOWN, KeyKeeper, Keyring, RotationState, read_past, rotation_state, write_past
from leasebook.security.vault import BadMasterKey, Vault
from leasebook.store.opening import OpenStore, Target

log = structlog.get_logger()

SEALED: Final[dict[str, Callable[[tuple[Resealed, ...]], Reseal]]] = {
    "access_keys": lambda some: Reseal(keys=some),
    "hooks": lambda some: Reseal(hooks=some),
    "passwords": lambda some: Reseal(passwords=some),
}
"""The tables with sealed values, and the command that writes some of their rows."""
ROWS: Final = 50
"""Rows that are sealed again in one batch."""
LOOK_S: Final = 0.5
TIMES_MAX: Final = 100


def _log(text: str) -> None:
    log.info(text)


class NotYet(Exception):
    """The change of the master key waits for servers; the message says for which, in one line."""


class Rotation:
    """Does the rest of a change of the master key. No part of it is done twice.

    ``alone``: no other server works on the store. ``lease_s``: a worker without a beat for this time is dead.
    ``wait_s``: how long it waits for servers that do not know the new key; None: for ever.
    """

    def __init__(
        self,
        where: Target,
        store: OpenStore,
        sequencer: Sequencer,
        ring: Keyring,
        audit: AuditKeys,
        keeper: KeyKeeper,
        *,
        alone: bool,
        lease_s: float,
        wait_s: float | None = None,
        say: Callable[[str], object] | None = None,
    ) -> None:
        self._where = where
        self._store = store
        self._sequencer = sequencer
        self._ring = ring
        self._audit = audit
        self._keeper = keeper
        self._alone = alone
        self._lease_s = lease_s
        self._wait_s = wait_s
        self._say = say or _log
        self._beats: dict[str, tuple[int, float]] = {}
        self._damaged: set[str] = set()

    async def run(self) -> None:
        """Go on until the store is sealed under the new key alone.

        Raises NotYet, BadMasterKey and the errors of stores and sequencers; another call goes on from there.
        """
        standing = await self._keeper.look()
        if standing.next:
            await self._turn(standing)
            standing = await self._keeper.look()
        if standing.before:
            await self._finish(standing)
        await self._keeper.look()

    async def _turn(self, standing: RotationState) -> None:
        """Let the new key seal, once every server knows it."""
        vault = self._vault(standing.current, standing.next)
        await self._until(lambda keys: standing.next[:SHOWN] in keys, "do not know the new master key yet")
        following = self._vault(standing.next)
        for _ in range(TIMES_MAX):
            end = await self._store.read(lambda ask: ask.fact(LOG_END) or "")
            kept = self._audit.past_key(standing.current, read_mark(end or None).number)
            past = [*read_past(vault, standing.past), kept]
            command = TurnMasterKey(
                was=standing.current, to=standing.next, past=write_past(following, past), log_end=end
            )
            if await self._sequencer.submit(command):
                self._say(f"The master key {standing.next[:8]}… seals now.")
                return
        raise NotYet("accounts, users and keys change too often just now; try again")

    async def _finish(self, standing: RotationState) -> None:
        """Seal again all rows that the earlier key has sealed, and forget that key."""
        # Keys of its own: the server's forget the one before as soon as it is let go.
        vault, audit = self._vault(standing.current, standing.before), AuditKeys(*self._both(standing))
        await self._seal_all(standing, vault, audit)
        await self._until(lambda keys: keys[:1] == [standing.current[:SHOWN]], "still seal under the one before")
        # The rows that they sealed meanwhile.
        await self._seal_all(standing, vault, audit)
        closures = await self._store.read(lambda ask: ask.audit_closures(after=None, limit=1))
        past = read_past(vault, standing.past)
        past[-1] = msgspec.structs.replace(past[-1], closures=closures[0].seq if closures else 0)
        await self._sequencer.submit(EndTurning(was=standing.before, past=write_past(vault, past)))
        await self._seal_all(standing, vault, audit)
        self._say(f"Nothing is sealed under the master key {standing.before[:8]}… any more.")

    def _vault(self, *names: str) -> Vault:
        """Return what seals under the first of these master keys, and opens what any of them has sealed."""
        return Vault(*(self._key(name) for name in names))

    def _both(self, standing: RotationState) -> tuple[bytes, bytes]:
        return self._key(standing.current), self._key(standing.before)

    def _key(self, name: str) -> bytes:
        key = self._ring.key(name)
        if key is None:
            raise BadMasterKey(f"the master key {name[:8]}… is not here; see {self._ring.next_path}")
        return key

    async def _until(self, ready: Callable[[list[str]], bool], what: str) -> None:
        """Wait until every server that lives is ready."""
        began, told = time.monotonic(), ""
        while True:
            late = [] if self._alone else await self._late(ready)
            if not late:
                return
            names = ", ".join(sorted(f"{worker.id[:8]} on {worker.node}" for worker in late))
            if self._wait_s is not None and time.monotonic() - began > self._wait_s:
                raise NotYet(f"these servers {what}: {names}")
            if names != told:
                told = names
                self._say(f"Waiting for servers that {what}: {names}.")
            await asyncio.sleep(LOOK_S)

    async def _late(self, ready: Callable[[list[str]], bool]) -> list[Worker]:
        now = time.monotonic()
        workers = await self._store.read(lambda ask: ask.workers_up())
        self._beats = {
            one.id: (one.beat, now) if self._beats.get(one.id, (None, now))[0] != one.beat else self._beats[one.id]
            for one in workers
        }
        return [one for one in workers if now - self._beats[one.id][1] <= self._lease_s and not ready(one.keys.split())]

    async def _seal_all(self, standing: RotationState, vault: Vault, audit: AuditKeys) -> None:
        """Seal again all rows that are sealed under another key, until there are none."""
        # It brings the drivers of both stores, a quarter of what a start on the embedded one takes.
        from leasebook.store.maintenance.master_key import reseal_heads

        for table in SEALED:
            await self._seal_rows(table, vault)

        def made(head: Sealed) -> bytes | None:
            message = head_message(head.chain, head.number, head.hash)
            # A row with neither key's seal was tampered with, and stays for the check to find.
            return audit.seal(message) if audit.seal_under(standing.before, message) == head.seal else None

        for _ in range(TIMES_MAX):
            if not await asyncio.to_thread(reseal_heads, self._where, made):
                return
        raise NotYet("a server still seals under the master key before")

    async def _seal_rows(self, table: str, vault: Vault) -> None:
        last = ""
        while True:
            rows = await self._store.read(lambda ask, last=last: ask.sealed_rows(table, after=last, limit=1000))  # type: ignore[misc]
            if not rows:
                return
            last = rows[-1].id
            changed = [one for row in rows if (one := self._sealed_anew(row, vault)) is not None]
            for first in range(0, len(changed), ROWS):
                some = tuple(changed[first : first + ROWS])
                await self._sequencer.submit(SEALED[table](some))

    def _sealed_anew(self, row: SealedRow, vault: Vault) -> Resealed | None:
        """Return the new values of a row; None: they need no change, or no key opens them."""
        try:
            now, now_before = (_anew(vault, row.context, value) for value in (row.sealed, row.sealed_before))
        except BadMasterKey as error:
            if row.id not in self._damaged:
                self._damaged.add(row.id)
                self._say(f"Left as it is: {error}.")
            return None
        if (now, now_before) == (row.sealed, row.sealed_before):
            return None
        return Resealed(row.id, row.sealed, now, row.sealed_before, now_before)


def _anew(vault: Vault, context: str, sealed: bytes) -> bytes:
    if not sealed or sealed.startswith(vault.prefix):
        return sealed
    return vault.seal(vault.open(sealed, context=context), context=context)


class Driver:
    """Goes on with a change of keys in a server of its own: once at a time, and again where that failed."""

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._task: asyncio.Task[None] | None = None
        self._said = ""

    def go_on(self) -> None:
        """Begin, unless it is at it."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._once(), name="rotation")

    async def stop(self) -> None:
        """Leave it as it is; the next server goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _once(self) -> None:
        try:
            await self._rotation.run()
        except (NotYet, BadMasterKey) as error:
            if str(error) != self._said:
                self._said = str(error)
                log.error("the change of the master key waits", error=self._said)  # noqa: TRY400 - it says all
        except Exception:
            log.exception("the change of the master key stopped, and is tried again")


def standing_of(store: OpenStore) -> RotationState:
    """Return the state of an open store; for the start only."""
    return store.ask(rotation_state)
