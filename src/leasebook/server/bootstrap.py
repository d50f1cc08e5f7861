"""The first account at a start: the founding of a new store, and the environment's root key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from leasebook.api.ids import hex_id
from leasebook.batch import Sequencer
from leasebook.config.load import Secret, Settings
from leasebook.contract.policies import OPERATOR
from leasebook.domain.commands.account.identity import CreateAccount, NewKey, RootKeyTaken, TakeRootKey
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE, FOUNDED, MASTER_KEY, ROOT_USER, BootstrapStore
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.commands.store.former_name import NAME, TODAY, TakeNewName
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.former_name import FORMER_OPERATOR
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.clock import Clock, VirtualClock
from leasebook.security.vault import BadMasterKey, Vault, new_access_key
from leasebook.store.errors import BadStore
from leasebook.store.opening import OpenStore

log = structlog.get_logger()

CREDENTIALS: Final = "credentials.env"


class RootKey(NamedTuple):
    """The first root's access key; empty: it has none that is active. ``made``: its secret, if this start made it."""

    access_key: str
    made: Secret | None = None


class WrongRoot(Exception):
    """The environment's root key belongs to another user; the message says so in one line."""


async def found(
    settings: Settings,
    store: OpenStore,
    sequencer: Sequencer,
    vault: Vault,
    clock: Clock,
    directory: Path,
) -> RootKey:
    """Found a new store, or let the environment's root key be that of an old one; returns the root's access key.

    Raises WrongRoot, BadMasterKey or BadStore.
    """
    key_id, secret, is_given = _root_key(settings)
    sealed = NewKey(key_id, vault.seal(secret, context=key_id))
    if store.ask(lambda ask: ask.fact(FOUNDED)) is None:
        if not is_given:
            _write_credentials(directory, key_id, secret)
        is_founder = await sequencer.submit(_founding(settings, vault, clock, sealed, is_given=is_given))
        if isinstance(clock, VirtualClock):
            # On PostgreSQL the founding itself is decided at the database's time, and moves the clock there.
            clock.stand(stands(store) or clock.now())
        if is_founder:
            return RootKey(key_id, None if is_given else Secret(secret))
        # Another server founded it in the same moment, and under its master key.
        check_fingerprint_of(vault, store)
        if not is_given:
            (directory / CREDENTIALS).unlink(missing_ok=True)
    elif isinstance(clock, VirtualClock):
        # Another server may have founded it since this one made its clock.
        clock.stand(stands(store) or clock.now())
    await _rename(store, sequencer)
    root = root_user(store)
    if is_given and await _take(store, sequencer, vault, root, sealed, secret):
        return RootKey(key_id)
    active = [key.id for key in _keys_of(store, root) if key.status == "Active"]
    return RootKey(active[0] if active else "")


async def _rename(store: OpenStore, sequencer: Sequencer) -> None:
    """Give the operator's policy the name of today in a store from before the project was renamed."""
    if store.ask(lambda ask: ask.fact(NAME)) is None:
        holders = store.ask(lambda ask: ask.holders(FORMER_OPERATOR))
        renamed = await sequencer.submit(TakeNewName(user_ids=tuple(holders), operators=OPERATOR))
        log.warning(
            "the operator's policy was renamed, as the project was", before=FORMER_OPERATOR, now=OPERATOR, users=renamed
        )


async def _take(store: OpenStore, sequencer: Sequencer, vault: Vault, root: User, key: NewKey, secret: str) -> bool:
    """Let the environment's key be the root's; returns whether it can be used. Says in the log what changes."""
    known = store.ask(lambda ask: ask.identity(key.id))
    if known is not None and known[1].id != root.id:
        raise WrongRoot(f"LEASEBOOK_ROOT_ACCESS_KEY names the key {key.id} of another user than the first root.")
    active = known is not None and known[0].status == "Active"
    is_known = known is not None and active and vault.open(known[0].sealed, context=key.id) == secret
    others = [one.id for one in _keys_of(store, root) if one.from_environment and one.status == "Active"]
    if is_known and others == [key.id]:
        return True
    try:
        taken: RootKeyTaken = await sequencer.submit(TakeRootKey(user_id=root.id, key=key, is_known=is_known))
    except Refusal as refusal:
        raise WrongRoot(f"LEASEBOOK_ROOT_ACCESS_KEY cannot be the first root's: {refusal.message}") from None
    if not taken.active:
        log.warning(
            "the root key of the environment was disabled, and stays so: give another one, or none",
            access_key=key.id,
        )
        return False
    if known is None or not is_known:
        log.warning("the environment gives another root key now", access_key=key.id, new=known is None)
    others = [one.id for one in _keys_of(store, root) if one.status == "Active" and not one.from_environment]
    if others:
        log.warning("the first root has active keys that the environment did not give", access_keys=others)
    if taken.replaced:
        log.warning("root keys that the environment gave before are disabled", access_keys=list(taken.replaced))
    return True


def _keys_of(store: OpenStore, user: User) -> list[AccessKey]:
    users = {one.id: keys for one, keys in store.ask(lambda ask: ask.users(user.account_id))}
    return users.get(user.id, [])


def check_fingerprint_of(vault: Vault, store: OpenStore) -> None:
    """Raise BadMasterKey where the store was founded under another master key."""
    saved = store.ask(lambda ask: ask.fact(MASTER_KEY))
    if saved is not None and saved != vault.fingerprint:
        raise BadMasterKey("The store was founded under another master key; give this server the same one.")


def stands(store: OpenStore) -> Instant | None:
    """Return the time of the store's virtual clock; None: it has none."""
    at = store.ask(lambda ask: ask.fact(VIRTUAL_NOW))
    return None if at is None else Instant(int(at))


def make_key() -> tuple[str, str]:
    """Draw a key pair; returns its id and its secret."""
    key = new_access_key()
    return key.access_key_id, key.secret.reveal()


def _root_key(settings: Settings) -> tuple[str, str, bool]:
    """Return the root's key pair, and whether the environment gives it."""
    if settings.root_access_key is not None and settings.root_secret_key is not None:
        return settings.root_access_key.reveal(), settings.root_secret_key.reveal(), True
    return *make_key(), False


def root_user(store: OpenStore) -> User:
    """Return the first root; raises WrongRoot where it is lost."""
    user_id = store.ask(lambda ask: ask.fact(ROOT_USER)) or ""
    user = store.ask(lambda ask: ask.user(user_id))
    if user is None:
        raise WrongRoot("The store has lost its first root user; restore a backup.")
    return user


def _founding(settings: Settings, vault: Vault, clock: Clock, key: NewKey, *, is_given: bool) -> BootstrapStore:
    facts = {MASTER_KEY: vault.fingerprint, CLOCK_MODE: clock.mode, NAME: TODAY}
    if clock.mode == "virtual":
        facts[VIRTUAL_NOW] = str(clock.now())
    root = CreateAccount(
        account_id=hex_id(),
        user_id=hex_id(),
        name="root",
        time_zone=settings.time_zone,
        key=key,
        policies=(OPERATOR,),
        from_environment=is_given,
    )
    return BootstrapStore(facts=facts, root=root)


def _write_credentials(directory: Path, key_id: str, secret: str) -> None:
    """Write the first key where only its owner can read it; the store keeps it sealed. Raises BadStore."""
    path = directory / CREDENTIALS
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"QIANFAN_ACCESS_KEY={key_id}\nQIANFAN_SECRET_KEY={secret}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadStore(f"{path} cannot be written: {error.strerror}. No store was founded.") from None
