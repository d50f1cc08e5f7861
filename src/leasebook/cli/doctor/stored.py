"""The faults that a store shows: its schema, its keys, its offerings, its due work, and its database."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from leasebook.cli.doctor.finding import Finding, nothing_runs, unusable
from leasebook.cli.terminal.texts import _, of_error, of_finding

if TYPE_CHECKING:
    from leasebook.config.load import Settings
    from leasebook.domain.replicas.engine_route import Routes
    from leasebook.ports.queries.read_repository import ReadRepository
    from leasebook.security.vault import Vault
    from leasebook.store.opening import Target

SECRET_MIN: Final = 16
"""Fewest characters of a root key's secret."""
DIFFERENT_MIN: Final = 8
"""Fewest different characters in it."""
TYPES_SHOWN: Final = 5


def store_findings(settings: Settings, where: Target, access_key: str | None) -> Iterator[Finding]:
    """Yield the faults of a store. ``access_key`` is one to be looked up; None: none is."""
    if not (yield from _schema(where)):
        return
    parts = [_engines(settings, where), _keys(settings, where), _due(settings, where), _durability(where)]
    for part in [*parts, *([] if access_key is None else [_key(where, access_key)])]:
        yield from _reading(where, part)


def _reading(where: Target, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings that come from the store; one that cannot be read is a finding of its own."""
    from leasebook.store.errors import BadStore
    from leasebook.store.sqlite.damage import UNREADABLE

    try:
        yield from findings
    except BadStore as error:
        yield unusable(where.name, str(error))
    except UNREADABLE as error:
        so = _("A row of {store} cannot be read ({kind}: {error}).")
        yield unusable(where.name, so.format(store=where.name, kind=type(error).__name__, error=of_error(error)))


def _schema(where: Target) -> Generator[Finding, None, bool]:
    """Yield faults of the schema; returns whether the rows can be read."""
    from leasebook.store.errors import BadStore, NewerStore
    from leasebook.store.maintenance.diagnosis import schema_of
    from leasebook.store.revisions import latest

    try:
        schema = schema_of(where)
    except NewerStore as error:
        yield Finding(
            "SchemaNewer",
            str(error),
            _("Schema {latest} or an older one, which this version brings up to date.").format(latest=latest()),
            _("Run the newer version, here and for every server. A schema never goes back; a backup may."),
        )
        return False
    except BadStore as error:
        if str(error).startswith("There is no store"):
            yield _no_store(str(error))
        else:
            yield unusable(where.name, str(error))
        return False
    if schema is None:
        yield _no_store(_("{store} is empty.").format(store=where.name))
        return False
    if schema != latest():
        yield Finding(
            "SchemaOld",
            _("{store} is at schema {schema}, and this version works with {latest}.").format(
                store=where.name, schema=schema, latest=latest()
            ),
            _("Schema {latest}. Servers bring a store up to date when they start; other commands do not.").format(
                latest=latest()
            ),
            _("Make a backup, then run leasebook migrate, or start a server."),
        )
        return False
    return True


def _no_store(so: str) -> Finding:
    return Finding(
        "NoStore",
        so,
        _("A store that a server has founded, or an empty place where one is to be founded."),
        _(
            "Start a server there: leasebook serve. If there was a store, correct --data or --store, or restore a "
            "backup."
        ),
    )


def _ask(where: Target, question: Callable[[ReadRepository], Iterator[Finding]]) -> Iterator[Finding]:
    from leasebook.store.queries.snapshot import glimpse

    with glimpse(where) as ask:
        yield from question(ask)


def _engines(settings: Settings, where: Target) -> Iterator[Finding]:
    from leasebook.server.factories import routes_of

    routes = routes_of(settings, where)
    yield from _ask(where, lambda ask: _of_offerings(settings, routes, ask))


def _of_offerings(settings: Settings, routes: Routes, ask: ReadRepository) -> Iterator[Finding]:
    from leasebook.domain.cards import parse_cards
    from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
    from leasebook.domain.model.offering import UNITS_OF_COMPUTE
    from leasebook.domain.replicas.engine_route import engine_for
    from leasebook.domain.replicas.planner import INSTANT
    from leasebook.engines.registry import ACCELERATED, NoEngine, device_finder, ray_engine

    sold = [one for one in ask.offerings() if one.kind == UNITS_OF_COMPUTE and one.closed_at is None]
    by_engine: dict[str, list[str]] = {}
    for one in sold:
        by_engine.setdefault(engine_for(routes, one.region, one.type), []).append(f"{one.type} ({one.region})")
    if by_engine.get(INSTANT) and ask.fact(CLOCK_MODE) == "real":
        yield nothing_runs(
            _(
                "These types are sold, and no engine runs them: {types}. What is paid for is counted and never started."
            ).format(types=_some(by_engine[INSTANT]))
        )
    accelerated = [one for one in by_engine.get("process", ()) if one.startswith(ACCELERATED)]
    cards = None if settings.engines_process_devices is None else parse_cards(settings.engines_process_devices)
    try:
        found = device_finder(cards).find() if accelerated else ()
        if "ray" in by_engine:
            ray_engine(settings.engines_ray_address, settings.engines_ray_serve_port)
    except NoEngine as error:
        yield Finding(
            "EngineUnusable",
            str(error),
            _("Engines that this machine has, with the settings that they need."),
            _("Do what the first line says (docs/operating/settings.md). A server does not start before."),
        )
        return
    if accelerated and not found:
        yield Finding(
            "NoAccelerators",
            _(
                "These types are sold and run on this machine, which has no accelerator that can be found: {types}."
            ).format(types=_some(accelerated)),
            _(
                "One accelerator for each unit of a type whose name begins with gpu-; without any, replicas run "
                "without."
            ),
            _(
                "Install the driver and leasebook[gpu], or name the device files in engines_process.devices. On a "
                "machine "
                "without accelerators, close these offerings: CloseOffering."
            ),
        )


def _some(names: list[str]) -> str:
    more = len(names) - TYPES_SHOWN
    shown = ", ".join(sorted(names)[:TYPES_SHOWN])
    return _("{shown} and {more} more").format(shown=shown, more=more) if more > 0 else shown


def _keys(settings: Settings, where: Target) -> Iterator[Finding]:
    yield from _ask(where, lambda ask: _of_keys(settings, where, ask))


def _of_keys(settings: Settings, where: Target, ask: ReadRepository) -> Iterator[Finding]:
    """Look at the master key, and at the root's keys, which it opens."""
    from leasebook.security.keyring import Keyring, keys_of, rotation_state
    from leasebook.security.vault import BadMasterKey, UnusableMasterKey

    ring, state = Keyring(settings, where.directory), rotation_state(ask)
    vault = None
    allowed = _(
        "The master key that the store is sealed under, {name}…: in LEASEBOOK_MASTER_KEY or in {path}, mode 0600."
    ).format(name=state.current[:8], path=ring.path)
    try:
        vault = keys_of(ring, state)[0]
    except UnusableMasterKey as error:
        yield Finding(
            "MasterKeyUnusable", str(error), allowed, _("Do what the first line says. A server does not start before.")
        )
    except BadMasterKey as error:
        yield Finding(
            "MasterKeyMissing",
            str(error),
            allowed,
            _("Put the key back from its copy. Without it no secret in the store can be read, and no server starts."),
        )
    yield from _root(settings, ask, vault)


def _root(settings: Settings, ask: ReadRepository, vault: Vault | None) -> Iterator[Finding]:
    from leasebook.domain.commands.store.bootstrap import ROOT_USER
    from leasebook.security.vault import BadMasterKey

    weak = {}
    if settings.root_secret_key is not None and settings.root_access_key is not None:
        weak[settings.root_access_key.reveal()] = settings.root_secret_key.reveal()
    root = ask.user(ask.fact(ROOT_USER) or "")
    if root is not None and vault is not None:
        for user, keys in ask.users(root.account_id):
            for key in keys:
                if user.id == root.id and key.status == "Active":
                    with suppress(BadMasterKey):
                        weak[key.id] = vault.open(key.sealed, context=key.id)
    for key_id, secret in sorted(weak.items()):
        if len(secret) < SECRET_MIN or len(set(secret)) < DIFFERENT_MIN:
            yield Finding(
                "RootKeyWeak",
                _("The secret of the root's key {key} has {length} characters, {different} of them different.").format(
                    key=key_id, length=len(secret), different=len(set(secret))
                ),
                _("{length} characters or more, {different} of them different: it opens the whole server.").format(
                    length=SECRET_MIN, different=DIFFERENT_MIN
                ),
                _(
                    "Make one with: openssl rand -hex 16. Set it in LEASEBOOK_ROOT_SECRET_KEY and start the server "
                    "again, "
                    "or disable the key (docs/how-to/rotate-a-key.md)."
                ),
            )


def _due(settings: Settings, where: Target) -> Iterator[Finding]:
    from leasebook.store.maintenance.diagnosis import due_state

    state = due_state(where, settings.clock_jump_max_seconds)
    for line in (*state.failed, *state.waiting):
        yield Finding(
            "DueWorkOverdue",
            _("{finding}.").format(finding=_begun(of_finding(line))),
            _("Due work is done within a minute, as long as a server runs."),
            _(
                "Start a server on this store. If one runs, its page /readyz and its log say what keeps it from the "
                "work."
            ),
        )
    if state.paused is not None:
        yield Finding(
            "ClockHeld",
            state.paused,
            _("A clock that moves as time does: a jump of more than {most} seconds is not followed.").format(
                most=settings.clock_jump_max_seconds
            ),
            _(
                "Set the clock right. If it is right now, confirm it: ConfirmClock at /v2/clock "
                "(docs/operating/clocks.md)."
            ),
        )


def _begun(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _durability(where: Target) -> Iterator[Finding]:
    from leasebook.store.maintenance.diagnosis import not_durable

    for name in not_durable(where):
        yield Finding(
            "DatabaseNotDurable",
            _(
                "The database has {name} = off: after a crash, writes that were acknowledged may be missing, or pages "
                "be torn."
            ).format(name=name),
            _(
                "fsync, full_page_writes and synchronous_commit are on. Servers switch the last one on for "
                "themselves; copy, archive and other programs do not."
            ),
            _(
                "Run as a superuser: ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf(). See also ALTER ROLE and "
                "ALTER DATABASE."
            ).format(name=name),
        )


def _key(where: Target, access_key: str) -> Iterator[Finding]:
    yield from _ask(where, lambda ask: _of_key(ask, access_key))


def _of_key(ask: ReadRepository, access_key: str) -> Iterator[Finding]:
    """Look an access key up: for its caller an unknown key and a disabled one are the same."""
    found = ask.identity(access_key)
    if found is None:
        yield Finding(
            "KeyUnknown",
            _("The store has no access key {key}.").format(key=access_key),
            _("A key that was made in this store. A key of another server, or of the cloud, is unknown here."),
            _("Make a key for the user, CreateAccessKey, or send the caller to the right server."),
        )
        return
    key, user = found
    if key.status != "Active":
        yield Finding(
            "KeyDisabled",
            _("The access key {key} of the user {user} is disabled.").format(key=key.id, user=user.name),
            _("A key that is active."),
            _("Enable it, EnableAccessKey, or make another one, CreateAccessKey."),
        )
    elif not user.policies and not user.is_root:
        yield Finding(
            "NoPolicies",
            _("The user {user} of the access key {key} has no policy.").format(user=user.name, key=key.id),
            _("A user with at least one policy for reading, such as QianfanReadAccessPolicy."),
            _("Have a user with full control, or an operator, attach one: AttachPolicy (docs/api/policies.md)."),
        )
