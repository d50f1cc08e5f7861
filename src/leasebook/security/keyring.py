"""The master keys that this server can find, and which of them seals: as the store says, also while that changes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog

from leasebook.batch import OutageLog, Unavailable
from leasebook.config.load import Settings
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import METADATA
from leasebook.domain.commands.store.master_key import BEFORE_KEY, NEXT_KEY, PAST_KEYS
from leasebook.domain.record.identity_log import MASTER_KEY
from leasebook.ports.queries.read_repository import Reader, ReadRepository
from leasebook.security.audit_keys import AuditKeys, PastKey
from leasebook.security.vault import (
    BadMasterKey,
    UnusableMasterKey,
    Vault,
    check_fingerprint,
    clear_drafts,
    fingerprint,
    load_master_key,
)

log = structlog.get_logger()

MASTER_KEY_FILE: Final = "master.key"
LOOK_EVERY_S: Final = 1.0
"""Upper bound on how long a server overlooks that another master key is announced or seals, in seconds."""
FORGET_AFTER_S: Final = 60.0
"""How long after a rotation the previous key is kept, in seconds: rows read just before may be sealed under it."""
SHOWN: Final = 16
"""Digits of a fingerprint that are shown; enough to distinguish master keys."""
PAST_CONTEXT: Final = "audit keys"
_FACTS: Final = frozenset({MASTER_KEY, NEXT_KEY, BEFORE_KEY})


class RotationState(NamedTuple):
    """The store's state of a rotation: fingerprints of the sealing, the next and the previous master key; "": none."""

    current: str
    next: str
    before: str
    past: str

    @property
    def goes_on(self) -> bool:
        """Whether a rotation is in progress."""
        return bool(self.next or self.before)


def rotation_state(ask: ReadRepository) -> RotationState:
    """Read the state of a rotation from the store."""
    return RotationState(*(ask.fact(name) or "" for name in (MASTER_KEY, NEXT_KEY, BEFORE_KEY, PAST_KEYS)))


class Keyring:
    """Finds master keys: in the environment, in their file, and in the files beside it of the next and the last."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.path: Final = settings.master_key_file or directory / MASTER_KEY_FILE
        self.next_path: Final = self.path.with_name(f"{self.path.name}.next")
        self.before_path: Final = self.path.with_name(f"{self.path.name}.before")
        self._given: Final = [
            (variable, secret)
            for variable, secret in (
                ("LEASEBOOK_MASTER_KEY", settings.master_key),
                ("LEASEBOOK_MASTER_KEY_NEXT", settings.master_key_next),
            )
            if secret is not None
        ]
        self._main: Final = settings.master_key
        self.is_given: Final = settings.master_key is not None
        """Whether the environment gives the master key, and not its file."""
        self._found: dict[str, bytes] = {}

    def key(self, wanted: str) -> bytes | None:
        """Return the master key with a fingerprint; None if this server does not have it."""
        if wanted not in self._found:
            for key in self._all():
                self._found[fingerprint(key)] = key
        return self._found.get(wanted)

    def main(self) -> bytes:
        """Return the master key itself; raises BadMasterKey for one that is missing, unsafe or damaged."""
        return load_master_key(self.path, self._main, create=False)

    def next(self) -> bytes | None:
        """Return the key that is to come next, from the environment or its file; raises BadMasterKey for a bad one."""
        for variable, secret in self._given:
            if variable == "LEASEBOOK_MASTER_KEY_NEXT":
                return load_master_key(self.next_path, secret, create=False)
        return load_master_key(self.next_path, None, create=False) if self.next_path.exists() else None

    def make_next(self) -> bytes:
        """Make the key that is to come next, in its file."""
        return load_master_key(self.next_path, None, create=True)

    def clear_drafts(self) -> None:
        """Delete drafts of key files that killed processes left, and say so in the log."""
        for path in (self.path, self.next_path):
            try:
                found = clear_drafts(path)
            except OSError as error:
                log.warning("drafts of a master key stay where they are", folder=str(path.parent), error=error.strerror)
                return
            for draft in found:
                log.warning("a killed process left a draft of a master key; it is deleted", file=str(draft))

    def require_usable(self) -> None:
        """Raise UnusableMasterKey for the first key in its place that cannot be used: it may be the missing one."""
        for path in self._files():
            if path.exists():
                try:
                    load_master_key(path, None, create=False)
                except UnusableMasterKey:
                    raise
                except BadMasterKey:
                    continue  # it has just gone

    def _files(self) -> tuple[Path, ...]:
        # The environment takes precedence over the files.
        return () if self.is_given else (self.path, self.next_path, self.before_path)

    def _all(self) -> Iterator[bytes]:
        for _, secret in self._given:
            yield load_master_key(self.path, secret, create=False)
        for path in self._files():
            # An unreadable key counts as missing; the caller that needs it reports which one is missing.
            with contextlib.suppress(BadMasterKey):
                yield load_master_key(path, None, create=False)

    def settle(self, current: str) -> bool:
        """Put the next key's file in the place of the key's, once the store is sealed under it; returns whether it was.

        The one before stays beside it: backups from before need it. A crash leaves both files or one of them, and each
        of them is whole.
        """
        try:
            following = load_master_key(self.next_path, None, create=False)
        except BadMasterKey:
            return False
        if fingerprint(following) != current:
            return False
        try:
            if self.path.exists():
                draft = self.before_path.with_name(f".{self.before_path.name}.{os.getpid()}")
                draft.unlink(missing_ok=True)
                os.link(self.path, draft)
                draft.replace(self.before_path)
            self.next_path.replace(self.path)
        except OSError as error:
            log.warning(
                "the file of the master key cannot be replaced: do it yourself",
                file=str(self.path),
                by=str(self.next_path),
                error=error.strerror,
            )
            return False
        return True


def keys_of(ring: Keyring, standing: RotationState) -> tuple[Vault, AuditKeys]:
    """Return the vault and audit keys for a state of the rotation; raises BadMasterKey if a needed key is missing."""
    current = ring.key(standing.current)
    if current is None:
        # These three raise with the reason: a key at hand is damaged, there is none, or it is another one.
        ring.require_usable()
        current = ring.main()
        check_fingerprint(current, standing.current)
    others = []
    for name, why in ((standing.before, "parts of the store are still sealed under"), (standing.next, "")):
        key = ring.key(name) if name else None
        if key is None and why and name:
            ring.require_usable()
            raise BadMasterKey(
                f"{why} the master key {name[:8]}…, which this server does not have: "
                f"put it back (LEASEBOOK_MASTER_KEY or "
                f"{ring.path}, and the new one into LEASEBOOK_MASTER_KEY_NEXT or {ring.next_path}), and run leasebook "
                "rotate-master-key to the end"
            )
        if key is not None:
            others.append(key)
    vault = Vault(current, *others)
    past = read_past(vault, standing.past)
    return vault, AuditKeys(current, *others, past=past, rotating=bool(standing.before))


def read_past(vault: Vault, text: str) -> list[PastKey]:
    """Return the audit keys of earlier master keys, oldest first; raises BadMasterKey if they do not open."""
    if not text:
        return []
    try:
        sealed = msgspec.json.decode(text, type=list[str])
        return [
            msgspec.json.decode(vault.open(bytes.fromhex(one), context=PAST_CONTEXT), type=PastKey) for one in sealed
        ]
    except (msgspec.DecodeError, ValueError):
        raise BadMasterKey("the store's record of earlier master keys is damaged") from None


def write_past(vault: Vault, past: list[PastKey]) -> str:
    """Return the text that the store keeps of earlier master keys' audit keys."""
    kept = [vault.seal(msgspec.json.encode(one).decode(), context=PAST_CONTEXT).hex() for one in past]
    return msgspec.json.encode(kept).decode()


class Drives(Protocol):
    """Continues a rotation in the background."""

    def go_on(self) -> None:
        """Begin, unless it runs already."""

    async def stop(self) -> None:
        """Stop; the rotation can be continued later."""


class KeyKeeper:
    """Follows the store's rotation: learns the next key, seals under the present one, and forgets the previous one."""

    def __init__(self, ring: Keyring, vault: Vault, audit: AuditKeys, reader: Reader) -> None:
        self._ring = ring
        self._vault = vault
        self._audit = audit
        self._reader = reader
        self._missing = ""
        self._spell = OutageLog(log)
        self._over_since: float | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._driver: Drives | None = None

    def drive(self, driver: Drives) -> None:
        """Let this server continue a rotation by itself; for a server that has the store to itself."""
        self._driver = driver

    def said(self) -> str:
        """Return the fingerprints of the known keys, the sealing one first. A rotation waits for all servers."""
        return " ".join(name[:SHOWN] for name in self._vault.known)

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._run(), name="master keys")

    async def require(self) -> None:
        """Check that this server has every key that a rotation may use. Call it after this server has announced itself.

        A rotation that did not see this server yet has stored its next key by then. Raises BadMasterKey.
        """
        standing = await self.look()
        for name in (standing.current, standing.next):
            if name and name not in self._vault.known:
                raise BadMasterKey(
                    f"the master key {name[:8]}… is announced or seals already, and this "
                    f"server does not have it: put it into "
                    f"{self._ring.next_path} or LEASEBOOK_MASTER_KEY_NEXT"
                )

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._driver is not None:
            await self._driver.stop()

    def committed(self, changes: Changes) -> None:
        """Follow the changes of this server's batch, before its callers get their answers."""
        found = {row.name: row.value for row in changes.updated.get(METADATA, ())}
        if MASTER_KEY in found:
            self.seal_under(found[MASTER_KEY])
        if not _FACTS.isdisjoint(found):
            self._wake.set()

    def seal_under(self, current: str | None) -> None:
        """Seal under the master key with that fingerprint, if this server has it."""
        if current is None or current == self._vault.fingerprint:
            return
        if current not in self._vault.known:
            self._learn(current)
        if current in self._vault.known:
            self._vault.turn(current)
            self._audit.turn(current)
            log.info("another master key seals now", fingerprint=current[:8])

    async def look(self) -> RotationState:
        """Read the store's rotation state, and follow it."""
        standing = await self._reader.read(rotation_state)
        if standing.next:
            self._learn(standing.next)
        self.seal_under(standing.current)
        self._forget(standing)
        if not standing.goes_on and self._ring.next_path.exists():
            self._settle(standing)
        return standing

    def _forget(self, standing: RotationState) -> None:
        """Forget the previous key once no reader can still have a row that was sealed under it."""
        now = time.monotonic()
        if standing.goes_on or len(self._vault.known) == 1 or self._vault.fingerprint != standing.current:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = now
        elif now - self._over_since >= FORGET_AFTER_S:
            self._vault.forget()
            self._audit.forget()

    def _learn(self, name: str) -> None:
        if name in self._vault.known:
            return
        key = self._ring.key(name)
        if key is not None:
            self._vault.learn(key)
            self._audit.learn(key)
            self._missing = ""
        elif self._missing != name:
            self._missing = name
            log.error(
                "a master key is announced that is not here: put it there",
                fingerprint=name[:8],
                file=str(self._ring.next_path),
                variable="LEASEBOOK_MASTER_KEY_NEXT",
            )

    def _settle(self, standing: RotationState) -> None:
        if self._ring.settle(standing.current):
            log.info("the file of the master key holds the new one now", file=str(self._ring.path))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                standing = await self.look()
                self._spell.ends()
                if standing.goes_on and self._driver is not None:
                    self._driver.go_on()
            except Unavailable as error:
                self._spell.goes_on("the store does not say which master key seals", error=str(error))
            except Exception:
                log.exception("it cannot be followed which master key seals")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
