"""The only module that knows which part is which: it puts the service together, and takes it apart."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog

from leasebook.api.app import App
from leasebook.api.audit_record import Addresses
from leasebook.api.auth.callers import Callers
from leasebook.api.auth.identity import Identities
from leasebook.api.auth.refused_calls import Refusals
from leasebook.api.context import Context, HookMaker, KeyMaker
from leasebook.api.faults.engine_reports import EngineReports
from leasebook.api.faults.injection import Injection
from leasebook.api.faults.registry import Faults
from leasebook.api.health import Concern, Health
from leasebook.api.hub import Hub
from leasebook.api.links.pages import LinkPages
from leasebook.api.links.site import LinkSite
from leasebook.api.links.tokens import PURPOSE, Links
from leasebook.api.server_work import Peers, ServerWork
from leasebook.api.unrun_warnings import Unrun
from leasebook.batch import BatchLimits, KeyUses, Prober, Sequencer, Watcher
from leasebook.batch.shared_state import SharedState
from leasebook.config.load import Secret, Settings
from leasebook.console.app import Console
from leasebook.console.links.drawing import LinkDrawing
from leasebook.domain.commands.command import Engine
from leasebook.domain.commands.service.examples import LoadExamples
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
from leasebook.domain.commands.store.clock import CLOCK_SEEN
from leasebook.domain.commands.store.demo import TYPES, DemoModel, DemoOffering, LoadDemo
from leasebook.domain.record.clock_mark import read
from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.combined import RoutedEngine
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.faulty import FaultyEngine, with_faults
from leasebook.export.focus.served import CostExports
from leasebook.gateway.app import Gateway
from leasebook.gateway.ports import Targets
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import Clock, Mode, RealClock, VirtualClock, wall_us
from leasebook.reconciler.ports import Timing
from leasebook.reconciler.replica_logs import ReplicaLogs
from leasebook.reconciler.worker import Reconciler
from leasebook.scheduler.cost_sums import CostSums
from leasebook.scheduler.old_minutes import OldMinutes
from leasebook.scheduler.worker import Scheduler
from leasebook.security.audit_keys import AuditKeys
from leasebook.security.keyring import KeyKeeper, Keyring, keys_of
from leasebook.security.vault import Vault, load_master_key
from leasebook.server.bootstrap import found, make_key, root_user, stands
from leasebook.server.console import console_of
from leasebook.server.descriptors import DescriptorPlan
from leasebook.server.engine_homes import Homes
from leasebook.server.exports import cost_exports_of
from leasebook.server.factories import (
    Components,
    Entrance,
    allowed_of,
    audit_writer_of,
    callers_of,
    dispatcher_of,
    engines_of,
    entrance_of,
    figures_of,
    gateway_of,
    log_store_of,
    logs_of,
    patience_of,
    placing_rules,
    reconciling,
    routes_of,
    stall_s_of,
    streams_of,
    timing_of,
)
from leasebook.server.master_key_rotation import Driver, Rotation, standing_of
from leasebook.store.opening import MayBeAway, OnFiles, OpenStore, Target, open_store

log = structlog.get_logger()


DUE_EMBEDDED: Final = 200
ALONE_EMBEDDED: Final = 3
"""The embedded store waits for each commit. Batches of 600 releases need fewer, and then no caller waits."""
DUE_SHARED: Final = 240
"""Due work in a batch: so much that a storm is drained fast, so little that callers do not wait 0.1 s for it. Twice as
much on PostgreSQL drains no faster, and callers wait twice as long."""
CROWD_PARTS_SHARED: Final = 2
"""On PostgreSQL half a crowd's batch is written while the other half is answered and asks again."""
PART_SHARED: Final = 64
"""Commands in a part of a batch: PostgreSQL writes one part while the next is decided. A storm is as fast with half of
this; but then the 64 commands of half a crowd of 128 would be parted too, which gains nothing."""

# The prices of the demo. The real prices are not published anywhere; these only have to look plausible.
DEMO_FUNDS: Final = Micro(100_000_000 * 1_000_000)
DEMO_OFFERINGS: Final = {
    unit_type: DemoOffering(
        per_minute=Micro((5 + 15 * card) * 10_000),
        per_month=Micro((1_000 + 4_000 * card) * 1_000_000),
        stock=10_000,
    )
    for card, unit_type in enumerate(TYPES)
}
DEMO_MODELS: Final = {
    model: DemoModel(per_minute=Micro(price), stock=1000)
    for model, price in (("ernie-4.0-8k", 60_000), ("ernie-3.5-8k", 12_000), ("ernie-speed-pro-128k", 5_000))
}


class Starts(Protocol):
    """A part of the service that works beside its answers once it is started."""

    def start(self) -> None:
        """Begin to work."""


class WrongClock(Exception):
    """The store was founded under the other kind of clock; the message says so in one line."""


class Service(msgspec.Struct, frozen=True):
    """A running service: what tests and the server hold in their hands."""

    app: App
    health: Health
    sequencer: Sequencer
    scheduler: Scheduler
    clock: Clock
    store: OpenStore
    metrics: Metrics
    root_access_key: str
    costs: CostSums
    console: Console | None = None
    root_secret_made: Secret | None = None
    """The secret of the root's key, if this start made the key."""


@asynccontextmanager
async def running(
    settings: Settings,
    where: Target,
    *,
    clock_mode: Mode = "real",
    demo: bool = False,
    targets: Targets | None = None,
    engines: Mapping[str, ReplicaEngine] | None = None,
    timing: Timing | None = None,
    plan: DescriptorPlan | None = None,
    starts_at: Instant | None = None,
) -> AsyncIterator[Service]:
    """Run the service on a store, without a socket; stops it cleanly at the end.

    ``engines`` are made as the settings say, unless given, and ``targets`` are their replicas; ``timing`` is the
    reconciler's, ``plan`` shares out the files of this process, ``starts_at`` is a new virtual clock's first instant.

    Raises StoreInUse, BadStore, NewerStore, BadMasterKey, WrongClock, NotServed, NoEngine or BadSettings where it
    cannot start; then nothing was touched.
    """
    async with AsyncExitStack() as parts:
        store = open_store(where, patience_of(settings))
        parts.push_async_callback(store.close)
        ring, vault, audit_keys, keeper, uses = _sealing(settings, where, store)
        if isinstance(store, OnFiles):
            store.prove_mark(audit_keys)
        clock = _clock(settings, where, store, clock_mode, starts_at)
        routes, metrics = routes_of(settings, where), Metrics()
        homes = Homes(settings, where, store, () if engines is not None else routes)
        await homes.require()
        faults = _faults(settings, metrics)
        engines = _engines(engines_of(settings, where, routes) if engines is None else engines, faults)
        for made in engines.values():
            parts.push_async_callback(made.close)
        rules = placing_rules(settings, routes, engines, is_trial=demo or clock.mode == "virtual")
        trail = audit_writer_of(settings, audit_keys, clock, metrics)
        limits, engine = _limits(settings, where), _engine(routes, faults)
        sequencer = Sequencer(store, clock, rules, engine=engine, limits=limits, meter=metrics, audit=trail, uses=uses)
        scheduler, refusals = Scheduler(store, sequencer, clock, metrics), Refusals(sequencer, clock, metrics)
        ground = Components(settings, where, store, sequencer, clock, metrics, SharedState(store), keeper, plan)
        links = Links(lambda: vault.derived(PURPOSE), (settings.public_url or "") + settings.path_prefix)
        identities = _identities(ground, vault, uses)
        entrance = entrance_of(settings, identities, metrics)
        dispatcher, gateway = dispatcher_of(ground, vault, links), gateway_of(ground, targets, entrance)
        _watch(sequencer, keeper, scheduler, dispatcher, gateway, identities)
        timing = timing or timing_of(settings)
        logs, exports = logs_of(settings, engines, timing), cost_exports_of(settings, where, metrics)
        more = (audit_keys, identities, refusals, rules, logs, exports, faults)
        context = _context(ground, scheduler, vault, links, *more)
        health = Health(store, sequencer, clock, metrics, lateness_max_s=settings.readiness_lateness_max_seconds)
        prober = _watch_store(store, sequencer, health, metrics)
        inside = (context, identities, health, vault, entrance, gateway)
        console = await parts.enter_async_context(console_of(ground, *inside))
        app = _app(ground, context, identities, health, links, rules, gateway, entrance, console)
        sequencer.start()
        if ground.alone:
            keeper.drive(Driver(Rotation(where, store, sequencer, ring, audit_keys, keeper, alone=True, lease_s=0.0)))
        minutes, costs = OldMinutes(store, sequencer, clock), CostSums(store, sequencer, clock, metrics.costs)
        parts.push_async_callback(sequencer.close)
        for part in (prober, exports, refusals, keeper, scheduler, dispatcher, gateway, minutes, costs):
            parts.push_async_callback(part.stop)
        root = await found(settings, store, sequencer, vault, clock, where.directory)
        if demo:
            await _load_demo(store, sequencer)
        _start(keeper, scheduler, dispatcher, gateway, minutes, costs)
        await homes.claim(sequencer)
        reconciler = await parts.enter_async_context(reconciling(ground, routes, engines, timing))
        await _join(ground, reconciler, homes, health)
        held = (app, health, sequencer, scheduler, clock, store, metrics)
        yield Service(*held, root.access_key, costs, console, root.made)


def _app(
    ground: Components,
    context: Context,
    identities: Identities,
    health: Health,
    links: Links,
    rules: Rules,
    gateway: Gateway,
    entrance: Entrance,
    console: Console | None,
) -> App:
    """Return what answers requests."""
    settings, metrics, sequencer = ground.settings, ground.metrics, ground.sequencer
    tokens, _, bodies, admission, throttle = entrance
    callers = callers_of(settings, identities, bodies, ground.store.ask(lambda ask: ask.former_nonces_until()))
    metrics.calls_waiting(
        {
            "turn": lambda: admission.waiting,
            "rows": lambda: sequencer.aside_length,
            "room": lambda: bodies.waiting,
        }
    )
    return App(
        context,
        identities,
        callers,
        health,
        metrics,
        path_prefix=settings.path_prefix,
        trusted_proxies=[text for text in settings.trusted_proxies.split(",") if text],
        links=_link_site(ground, links, rules, callers),
        passing=gateway,
        console=console,
        admission=admission,
        throttle=throttle,
        tokens=tokens,
        injection=None if context.faults is None else Injection(context.faults, identities),
    )


def _link_site(ground: Components, links: Links, rules: Rules, callers: Callers) -> LinkSite:
    """Return what answers links in mails, whether there is a console or not."""
    settings = ground.settings
    return LinkSite(
        LinkPages(links, ground.store, ground.sequencer, ground.clock, rules),
        LinkDrawing(settings.path_prefix.rstrip("/")),
        callers,
        Addresses([text for text in settings.trusted_proxies.split(",") if text]),
        ground.metrics,
    )


def _faults(settings: Settings, metrics: Metrics) -> Faults | None:
    if settings.faults == "no":
        return None
    log.warning("operators may have this server make faults (--faults)")
    return Faults(metrics)


def _identities(ground: Components, vault: Vault, uses: KeyUses) -> Identities:
    return Identities(
        ground.store,
        ground.facts,
        lambda key: vault.open(key.sealed, context=key.id),
        uses,
        ground.keeper.seal_under,
    )


def _engines(engines: Mapping[str, ReplicaEngine], faults: Faults | None) -> Mapping[str, ReplicaEngine]:
    return engines if faults is None else with_faults(engines, faults.replica)


def _engine(routes: Routes, faults: Faults | None) -> Engine:
    engine = RoutedEngine(routes)
    return engine if faults is None else FaultyEngine(engine, faults)


def _context(
    ground: Components,
    scheduler: Scheduler,
    vault: Vault,
    links: Links,
    audit_keys: AuditKeys,
    identities: Identities,
    refusals: Refusals,
    rules: Rules,
    logs: ReplicaLogs,
    exports: CostExports,
    faults: Faults | None,
) -> Context:
    """Return what operations work with."""
    settings = ground.settings
    log_store = log_store_of(settings)
    hub = Hub(alone=ground.alone, streams=streams_of(settings, ground.metrics))
    ground.sequencer.watch(hub)
    if faults is not None:
        ground.sequencer.watch(EngineReports(faults, ground.sequencer))
    return Context(
        reader=ground.store,
        facts=ground.facts,
        sequencer=ground.sequencer,
        scheduler=scheduler,
        clock=ground.clock,
        rules=rules,
        keys=KeyMaker(
            make_key,
            lambda key_id, secret: vault.seal(secret, context=key_id),
            lambda key_id, sealed: vault.open(sealed, context=key_id),
            vault.derived,
        ),
        hub=hub,
        identities=identities,
        refusals=refusals,
        audit_key=lambda: audit_keys.public_key,
        links=links,
        hooks=HookMaker(allowed_of(settings), settings.smtp_url is not None),
        cost_exports=exports,
        replica_logs=logs.last,
        faults=faults,
        log_store=None if log_store is None else log_store.probe,
        without_log_parts=logs.without_parts,
        work=ServerWork(ground.server_id, ground.metrics, Peers()),
        public_base=None if settings.public_url is None else settings.public_url + settings.path_prefix,
    )


class _Sealing(NamedTuple):
    ring: Keyring
    vault: Vault
    audit_keys: AuditKeys
    keeper: KeyKeeper
    uses: KeyUses


def _sealing(settings: Settings, where: Target, store: OpenStore) -> _Sealing:
    """Return what seals and opens; a new store gets a master key where there is none. Raises BadMasterKey."""
    ring, standing = Keyring(settings, where.directory), standing_of(store)
    ring.clear_drafts()
    if standing.current:
        vault, audit_keys = keys_of(ring, standing)
    else:
        key = load_master_key(ring.path, settings.master_key, create=True)
        vault, audit_keys = Vault(key), AuditKeys(key)
    return _Sealing(ring, vault, audit_keys, KeyKeeper(ring, vault, audit_keys, store), KeyUses())


def _watch_store(store: OpenStore, sequencer: Sequencer, health: Health, metrics: Metrics) -> Prober:
    """Have /readyz and /healthz report whether the store is there, and whether it can be written."""
    health.watch(store.schema)
    if isinstance(store, Concern):
        health.watch(store)
    if isinstance(store, MayBeAway):
        metrics.store_away(store.away())
    if isinstance(store, OnFiles):
        health.watch(store.files)
    prober = Prober(sequencer.writing, sequencer.submit)
    sequencer.writing.count(metrics)
    health.watch(sequencer.writing)
    health.ask_first(prober.look)
    return prober


def _start(*parts: Starts) -> None:
    for part in parts:
        part.start()


def _watch(sequencer: Sequencer, *watchers: Watcher) -> None:
    for watcher in watchers:
        sequencer.watch(watcher)


async def _join(ground: Components, reconciler: Reconciler, homes: Homes, health: Health) -> None:
    """Let other servers know that this one lives, and then see that they have the same places and master keys.

    And warn of replicas that are paid for and never run, and of lines that go nowhere.
    """
    if ground.settings.log_store_url is None:
        attached = await ground.store.read(lambda ask: ask.services_with_log_store(), long=True)
        if attached:
            log.warning(
                "services have a log store, and this server sends it nothing: log_store.url is not set",
                services=attached,
            )
    health.show("business", figures_of(ground).look)
    health.watch(reconciler.left)
    health.unrun = Unrun(ground.store, routes_of(ground.settings, ground.where), ground.metrics)
    await health.unrun.warnings()
    if not ground.alone:
        await reconciler.beat()
        await homes.confirm()
        await ground.keeper.require()


def _limits(settings: Settings, where: Target) -> BatchLimits:
    embedded = where.url is None
    return BatchLimits(
        settings.batch_size_max,
        settings.due_batch_max or (DUE_EMBEDDED if embedded else DUE_SHARED),
        settings.queue_length_max,
        idle_times=ALONE_EMBEDDED if embedded else 1,
        backlog_parts=1 if embedded else CROWD_PARTS_SHARED,
        part_size=None if embedded else PART_SHARED,
        share_max=settings.fairness_batch_share_max,
        lock_wait_s=settings.store_lock_wait_seconds,
        stall_s=stall_s_of(settings) if embedded else None,
    )


def _clock(settings: Settings, where: Target, store: OpenStore, mode: Mode, starts_at: Instant | None) -> Clock:
    saved = store.ask(lambda ask: ask.fact(CLOCK_MODE))
    if saved is not None and saved != mode:
        raise WrongClock(
            f"This store was founded with --clock {saved}, and its times are that clock's. Start it with "
            f"--clock {saved}, or give --clock {mode} a data directory of its own."
        )
    if mode == "real":
        mark = read(store.ask(lambda ask: ask.fact(CLOCK_SEEN)))
        return RealClock(settings.clock_jump_max_seconds * SECOND_US, shared=where.url is not None, mark=mark)
    # Whole seconds, so that a time typed into AdvanceClock can name the same moments.
    return VirtualClock(stands(store) or starts_at or Instant(wall_us() // SECOND_US * SECOND_US))


async def _load_demo(store: OpenStore, sequencer: Sequencer) -> None:
    root = root_user(store)
    loaded = await sequencer.submit(
        LoadDemo(
            account_id=root.account_id, user_id=root.id, funds=DEMO_FUNDS, offerings=DEMO_OFFERINGS, models=DEMO_MODELS
        )
    )
    # The very Python that runs this server has the examples.
    await sequencer.submit(LoadExamples(user_id=root.id, python=sys.executable))
    log.info("demo loaded" if loaded else "demo was loaded before, nothing changed")
