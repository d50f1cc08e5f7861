"""The command that gives a store a new master key: it announces it, and does the rest, or waits for the server to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from leasebook.batch import BatchLimits, Sequencer
from leasebook.config.load import Settings
from leasebook.domain.commands.command import Engine
from leasebook.domain.values.calendar import SECOND_US
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import Clock, RealClock, VirtualClock
from leasebook.security.keyring import KeyKeeper, Keyring, RotationState, keys_of, rotation_state
from leasebook.security.vault import BadMasterKey, fingerprint
from leasebook.server.bootstrap import stands
from leasebook.server.factories import audit_writer_of, patience_of, rules_of, timing_of
from leasebook.server.master_key_rotation import NotYet, Rotation
from leasebook.store.errors import BadStore, StoreInUse
from leasebook.store.maintenance.master_key import announce
from leasebook.store.opening import OpenStore, Target, open_store
from leasebook.store.queries.snapshot import glimpse

LOOK_S: Final = 0.3


async def rotate_master_key(
    settings: Settings, where: Target, *, wait_s: float | None, say: Callable[[str], object]
) -> None:
    """Give a store a new master key, while servers work on it or none does; goes on where a run before ended.

    Raises BadStore, BadMasterKey, NewerStore, and NotYet where servers do not know the new key after ``wait_s``.
    """
    ring = Keyring(settings, where.directory)
    ring.clear_drafts()
    standing = look(where)
    if not standing.current:
        raise BadStore(f"{where.name} was not founded yet; its first server makes its master key.")
    keys_of(ring, standing)
    if not standing.goes_on:
        following = _announced(where, ring, standing, say)
        if following is None:
            return
    else:
        following = standing.next or standing.current
        say(f"Going on with the master key {following[:8]}….")
    await _through(settings, where, ring, following, wait_s, say)
    if ring.settle(following):
        say(f"{ring.path} holds the new master key, and {ring.before_path} the one before, for backups from before.")
    elif ring.is_given:
        say("Give every server the new master key as LEASEBOOK_MASTER_KEY, and take LEASEBOOK_MASTER_KEY_NEXT away.")


def abandon(where: Target) -> None:
    """Announce no master key any more; raises BadStore where one seals already and there is no way back."""
    if look(where).before:
        raise BadStore("The new master key seals already; run leasebook rotate-master-key to the end.")
    announce(where, "")


def look(where: Target) -> RotationState:
    """Return the state of a store; raises BadStore."""
    with glimpse(where) as ask:
        return rotation_state(ask)


def _announced(where: Target, ring: Keyring, standing: RotationState, say: Callable[[str], object]) -> str | None:
    """Announce a new key; returns its fingerprint, None: it is the one that seals already, and all is done."""
    key = ring.next()
    if key is None:
        if ring.is_given:
            raise BadMasterKey(
                "LEASEBOOK_MASTER_KEY gives the master key, so give the new one as LEASEBOOK_MASTER_KEY_NEXT, to every "
                "server and to this command"
            )
        key = ring.make_next()
        say(f"A new master key is in {ring.next_path}.")
    following = fingerprint(key)
    if following == standing.current:
        if not ring.settle(following):
            raise BadMasterKey("the next master key that is given here is the one that seals already; give a new one")
        say(f"The store is sealed under that key already; {ring.path} holds it now.")
        return None
    announce(where, following)
    return following


async def _through(
    settings: Settings, where: Target, ring: Keyring, following: str, wait_s: float | None, say: Callable[[str], object]
) -> None:
    """Do everything, or wait until the server that has the store to itself has done it."""
    began, told = time.monotonic(), False
    while True:
        try:
            store = open_store(where, patience_of(settings))
        except StoreInUse:
            standing = look(where)
            if standing.current == following and not standing.goes_on:
                return
            if not told:
                say("The server that works on the store goes on with it; its log says how.")
                told = True
            if wait_s is not None and time.monotonic() - began > wait_s:
                raise NotYet(
                    "the server that works on the store has not done it yet: see its log, whether it can read "
                    f"{ring.next_path} or has LEASEBOOK_MASTER_KEY_NEXT"
                ) from None
            await asyncio.sleep(LOOK_S)
            continue
        try:
            await _drive(settings, where, store, ring, wait_s, say)
        finally:
            await store.close()
        return


async def _drive(
    settings: Settings,
    where: Target,
    store: OpenStore,
    ring: Keyring,
    wait_s: float | None,
    say: Callable[[str], object],
) -> None:
    vault, audit = keys_of(ring, store.ask(rotation_state))
    clock, metrics = _clock(settings, store), Metrics()
    sequencer = Sequencer(
        store,
        clock,
        rules_of(settings),
        engine=Engine(),
        limits=BatchLimits(),
        meter=metrics,
        audit=audit_writer_of(settings, audit, clock, metrics),
    )
    keeper = KeyKeeper(ring, vault, audit, store)
    sequencer.watch(keeper)
    alone, lease_s = where.url is None, timing_of(settings).lease_s
    rotation = Rotation(
        where, store, sequencer, ring, audit, keeper, alone=alone, lease_s=lease_s, wait_s=wait_s, say=say
    )
    sequencer.start()
    try:
        await rotation.run()
    finally:
        await sequencer.close()


def _clock(settings: Settings, store: OpenStore) -> Clock:
    at = stands(store)
    return RealClock(settings.clock_jump_max_seconds * SECOND_US) if at is None else VirtualClock(at)
