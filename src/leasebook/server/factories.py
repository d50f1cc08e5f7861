"""The parts of a service that work beside its answers: what tells, passes calls on and looks after replicas."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import msgspec
import structlog

from leasebook.addressing.mail import is_bare, server_of
from leasebook.addressing.webhook import Allowed, networks_of
from leasebook.api.audit_record import Addresses
from leasebook.api.auth.admission import Admission, AdmissionLimits
from leasebook.api.auth.bearer_tokens import BearerTokens
from leasebook.api.auth.callers import Callers, SignatureLimits
from leasebook.api.auth.identity import Identities
from leasebook.api.auth.rate_limit import Rate, Throttle
from leasebook.api.body.budget import Bodies
from leasebook.api.business_figures import BusinessFigures
from leasebook.api.ids import hex_id
from leasebook.api.inside.service_users import ServiceUsers
from leasebook.api.links.tokens import Links
from leasebook.api.presenters import rows as present
from leasebook.api.streams.events import StreamBounds, Streams
from leasebook.batch import AuditWriter, Sequencer
from leasebook.batch.shared_state import SharedState
from leasebook.config.load import Settings
from leasebook.config.sections.log_store import headers_of
from leasebook.domain.book import store_queries as asked
from leasebook.domain.cards import parse_cards
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.record.event import Event
from leasebook.domain.record.event_rights import OF_MONEY, without_money
from leasebook.domain.replicas.address import may_be_called
from leasebook.domain.replicas.engine_route import Routes, parse_routes
from leasebook.domain.replicas.planner import Limits as ReplicaLimits
from leasebook.domain.replicas.unserved import Gone, parse_gone
from leasebook.domain.rules.reminder import to_offsets
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant, rfc3339, to_datetime
from leasebook.domain.values.money import parse_amount
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.gone import with_gone
from leasebook.engines.registry import build_engines
from leasebook.engines.sandbox.sandbox import Sandbox
from leasebook.gateway.app import Gateway
from leasebook.gateway.ports import Limits as CallLimits
from leasebook.gateway.ports import Target as Answering
from leasebook.gateway.ports import Targets
from leasebook.notifications.dispatcher import Dispatcher
from leasebook.notifications.fair_queue import Places
from leasebook.notifications.log_store import LogStoreClient
from leasebook.notifications.ports import Sender
from leasebook.notifications.webhook import WebhookSender
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import Clock, wall_us
from leasebook.ports.queries.read_repository import EventPlace, ReadRepository
from leasebook.ports.queries.tags import Names
from leasebook.reconciler.followed_logs import FollowedLogs
from leasebook.reconciler.log_sender import LogSender
from leasebook.reconciler.ports import MachineTime, Timing
from leasebook.reconciler.replica_logs import ReplicaLogs
from leasebook.reconciler.worker import Reconciler
from leasebook.security.audit_keys import AuditKeys
from leasebook.security.keyring import KeyKeeper
from leasebook.security.vault import Vault
from leasebook.server.descriptors import DELIVERIES_MAX, DescriptorPlan
from leasebook.store.opening import OpenStore, Target
from leasebook.store.postgres.timeouts import GRACE_S, Patience

log = structlog.get_logger()

GIVEN_UP_KEEP_DAYS: Final = 30
SPANS_US: Final = {"d": DAY_US, "h": HOUR_US, "m": MINUTE_US}


class Components(msgspec.Struct, frozen=True):
    """The parts that all others need."""

    settings: Settings
    where: Target
    store: OpenStore
    sequencer: Sequencer
    clock: Clock
    metrics: Metrics
    facts: SharedState
    keeper: KeyKeeper
    plan: DescriptorPlan | None = None
    """How the files of this process are shared out; None: there is no end of them."""
    server_id: str = msgspec.field(default_factory=hex_id)
    """The id of this server among those on its store."""

    @property
    def alone(self) -> bool:
        """Whether this server alone writes to the store."""
        return self.where.url is None


class Entrance(NamedTuple):
    """The parts that let callers in, which actions and calls of services share."""

    tokens: BearerTokens
    users: ServiceUsers
    bodies: Bodies
    admission: Admission
    throttle: Throttle


def entrance_of(settings: Settings, identities: Identities, metrics: Metrics) -> Entrance:
    """Return the parts that let callers in."""
    return Entrance(
        BearerTokens(identities, seconds_max=settings.bearer_token_max_seconds, now_us=wall_us),
        ServiceUsers(identities),
        Bodies(settings.http_bodies_max_bytes, settings.http_body_seconds),
        Admission(AdmissionLimits(settings.fairness_in_flight_max, settings.queue_length_max)),
        throttle_of(settings, metrics),
    )


def rules_of(settings: Settings) -> Rules:
    """Return the settings that rules depend on."""
    horizon, minimum = settings.release_horizon_max_seconds, settings.postpaid_balance_min
    return Rules(
        time_zone=settings.time_zone,
        times_in_utc=settings.time_output == "utc",
        currency=settings.currency,
        release_lead_min_us=settings.release_lead_min_seconds * SECOND_US,
        release_horizon_max_us=None if horizon is None else horizon * SECOND_US,
        postpaid_balance_min=None if minimum is None else parse_amount(minimum),
        retention_us=settings.retention_days * DAY_US,
        arrears_grace_us=settings.arrears_grace_hours * HOUR_US,
        quote_keep_us=settings.quote_keep_minutes * MINUTE_US,
        token_keep_us=settings.tokens_keep_hours * HOUR_US,
        remind_before_us=_offsets(settings.reminders_before),
        approval_keep_us=settings.approvals_keep_hours * HOUR_US,
        approval_remind_us=_offsets(settings.approvals_remind_before),
        give_up_us=settings.webhook_give_up_hours * HOUR_US,
        delivered_keep_us=settings.deliveries_keep_days * DAY_US,
        tests_an_hour=settings.subscription_tests_per_hour,
        account_tests_an_hour=settings.subscription_account_tests_per_hour,
        given_up_keep_us=max(GIVEN_UP_KEEP_DAYS, settings.deliveries_keep_days) * DAY_US,
        refused_keep_us=settings.refused_calls_keep_days * DAY_US,
        bounds=_bounds(settings),
    )


def _bounds(settings: Settings) -> dict[str, int]:
    return {
        asked.USERS: settings.account_users_max,
        asked.KEYS: settings.account_access_keys_max,
        asked.USER_KEYS: settings.user_access_keys_max,
        asked.MODEL_SETS: settings.account_model_sets_max,
        asked.MODELS: settings.account_models_max,
        asked.SERVICES: settings.account_services_max,
        asked.HOOKS: settings.account_subscriptions_max,
        asked.QUOTES: settings.account_held_quotes_max,
        asked.SERVICE_KEYS: settings.account_service_keys_max,
        asked.APPROVALS: settings.account_open_approvals_max,
        asked.PROJECTS: settings.account_projects_max,
    }


def streams_of(settings: Settings, metrics: Metrics) -> Streams:
    """Return what counts who follows events."""
    bounds = StreamBounds(
        in_all=settings.events_streams_max,
        per_account=settings.events_streams_per_account_max,
        per_key=settings.events_streams_per_key_max,
    )
    return Streams(bounds, metrics)


def placing_rules(
    settings: Settings, routes: Routes, engines: Mapping[str, ReplicaEngine], *, is_trial: bool = False
) -> Rules:
    """Return the rules of this server, which knows where replicas run and how far they are kept apart there.

    ``is_trial``: it has the demo or a virtual clock, so that what the documents' samples name may be bought as it is.
    """
    missing = {name: engine.isolation().missing for name, engine in engines.items()}
    counts = settings.services_unknown_models or ("count" if is_trial else "refuse")
    return msgspec.structs.replace(rules_of(settings), routes=routes, missing=missing, counts_unknown=counts == "count")


def patience_of(settings: Settings) -> Patience:
    """Return how long a shared store is waited for."""
    return Patience(
        connect_s=settings.store_connect_seconds,
        answer_s=settings.store_answer_seconds,
        away_s=settings.store_away_seconds,
        keepalive_s=settings.store_keepalive_seconds,
        unacknowledged_s=settings.store_tcp_user_timeout_seconds,
        lock_wait_s=settings.store_lock_wait_seconds,
    )


def stall_s_of(settings: Settings) -> float:
    """Return how long the embedded store may keep a batch waiting, in seconds.

    Longer than a batch waits for another program's lock, so that the answer names that lock.
    """
    return max(settings.store_answer_seconds, settings.store_lock_wait_seconds) + GRACE_S


def node_of(settings: Settings) -> str:
    """Return what this machine is called in the store."""
    return settings.engines_process_node or platform.node()


def gone_of(settings: Settings) -> tuple[Gone, ...]:
    """Return which engines an operator gave up, with what ran there."""
    return parse_gone(settings.engines_gone or "")


def engines_of(settings: Settings, where: Target, routes: Routes) -> Mapping[str, ReplicaEngine]:
    """Make the engines that the routes name. Raises NoEngine."""
    return build_engines(
        routes,
        where.directory,
        settings.engines_process_units,
        settings.engines_ray_address,
        settings.engines_ray_serve_port,
        sandbox_of(settings),
        None if settings.engines_process_devices is None else parse_cards(settings.engines_process_devices),
    )


def _offsets(text: str) -> tuple[int, ...]:
    """Read what ``reminders.before`` says, such as 1d,1h."""
    if text == "none":
        return ()
    return to_offsets(tuple(int(span[:-1]) * SPANS_US[span[-1]] for span in text.split(",")))


def callers_of(settings: Settings, identities: Identities, bodies: Bodies, former_nonces_until: Instant) -> Callers:
    """Return what lets callers in."""
    limits = SignatureLimits(
        body_max=settings.server_body_max_bytes,
        age_max_s=settings.signature_age_max_seconds,
        operator_age_max_s=settings.signature_operator_age_max_seconds,
        without_port=settings.signature_host_without_port == "yes",
        operators_strict=settings.signature_operators_strict == "yes",
    )
    return Callers(
        identities, limits, bodies, path_prefix=settings.path_prefix, former_nonces_until=former_nonces_until
    )


def audit_writer_of(settings: Settings, keys: AuditKeys, clock: Clock, metrics: Metrics) -> AuditWriter:
    """Begin the audit trail of this run."""
    return AuditWriter(
        keys=keys,
        new_chain=lambda: f"{to_datetime(clock.now(), 'UTC'):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        lost=metrics,
        keep_us=settings.audit_keep_days * DAY_US or None,
    )


def figures_of(ground: Components) -> BusinessFigures:
    """Return what reads the figures of the business when metrics are asked for."""
    accounts = [part.strip() for part in ground.settings.metrics_accounts.split(",") if part.strip()]
    return BusinessFigures(ground.store, ground.clock, ground.metrics.business, accounts)


def throttle_of(settings: Settings, metrics: Metrics) -> Throttle:
    """Return what counts calls against the limits of keys and accounts."""
    key, account = settings.throttle_key_per_second, settings.throttle_account_per_second
    return Throttle(
        key=None if key is None else Rate(key, settings.throttle_key_burst or key),
        account=None if account is None else Rate(account, settings.throttle_account_burst or account),
        now=time.monotonic,
        meter=metrics,
    )


def allowed_of(settings: Settings) -> Allowed:
    """Return where webhooks may go."""
    return Allowed(settings.webhook_allow_http == "yes", networks_of(settings.webhook_allow_private or ""))


def places_of(settings: Settings, plan: DescriptorPlan | None) -> Places:
    """Return how many attempts to deliver may be under way at once."""
    return Places(
        all_max=DELIVERIES_MAX if plan is None else plan.deliveries,
        quick=settings.webhook_attempts_max,
        account=settings.webhook_attempts_per_account,
        receiver=settings.webhook_attempts_per_receiver,
        slow=settings.webhook_slow_attempts_max,
        slow_account=settings.webhook_slow_attempts_per_account,
        slow_us=settings.webhook_slow_seconds * SECOND_US,
    )


def dispatcher_of(ground: Components, vault: Vault, links: Links) -> Dispatcher:
    """Return what tells the world, with everybody who can send."""
    settings = ground.settings
    zone = rules_of(settings).written_zone

    def shown(at: Instant) -> str:
        return rfc3339(at, zone)

    def show(account_id: str, place: EventPlace, event: Event, names: Names, hidden: frozenset[str] | None) -> bytes:
        if hidden is None:
            return msgspec.json.encode(present.event(account_id, place, event, shown, links, names))
        # Of other accounts: a reminder's links are for those who act there, and balances for those who may see money.
        seen = event if hidden.isdisjoint(OF_MONEY) else without_money(event)
        return msgspec.json.encode(present.event(account_id, place, seen, shown, None, names))

    senders: dict[str, Sender] = {
        "Webhook": WebhookSender(
            allowed_of(settings),
            lambda hook, sealed: vault.open(sealed, context=hook.id),
            timeout_s=settings.webhook_timeout_seconds,
        )
    }
    if settings.smtp_url is not None:
        from leasebook.notifications.mail import MailSender

        server = server_of(settings.smtp_url.reveal())
        if is_bare(server):
            log.warning("the password of smtp_url is sent in the clear; write ?starttls after it, or smtps://")
        if settings.public_url is None:
            log.warning("no mail address can be subscribed: a link confirms it, and public_url is not set")
        senders["Email"] = MailSender(server, settings.mail_from, shown, links.confirming)
    return Dispatcher(
        ground.store,
        ground.sequencer,
        ground.clock,
        ground.metrics,
        senders,
        show,
        holder=hex_id(),
        alone=ground.alone,
        places=places_of(settings, ground.plan),
    )


class Replicas(Targets):
    """Where calls go: the replicas that the books say are healthy, at addresses that their engines may give."""

    def __init__(self, here: str) -> None:
        self._here = here

    def of(self, ask: ReadRepository, service_id: str) -> Sequence[Answering]:
        """Return the healthy replicas of a service that can be called from here."""
        ready = [row for row in ask.targets(service_id) if row.state == "Ready"]
        return [
            Answering(row.name, row.address)
            for row in ready
            if may_be_called(row.engine, row.node, row.address, here=self._here)
        ]


def gateway_of(ground: Components, targets: Targets | None, entrance: Entrance) -> Gateway:
    """Return what passes calls of services on."""
    settings = ground.settings
    return Gateway(
        reader=ground.store,
        facts=ground.facts,
        sequencer=ground.sequencer,
        clock=ground.clock,
        targets=targets or Replicas(node_of(settings)),
        meter=ground.metrics.gateway,
        limits=CallLimits(
            connect_s=settings.gateway_connect_seconds,
            connections_max=None if ground.plan is None else ground.plan.upstream,
            first_byte_s=settings.gateway_first_byte_seconds,
            idle_s=settings.gateway_idle_seconds,
            headers_max=settings.gateway_headers_max_bytes,
            concurrency_max=settings.gateway_concurrency_max,
            chat_body_max=settings.gateway_chat_body_max_bytes,
            socket_idle_s=settings.gateway_socket_idle_seconds,
            socket_message_max=settings.gateway_socket_message_max_bytes,
            sockets_key_max=settings.gateway_sockets_per_key_max,
            sockets_account_max=settings.gateway_sockets_per_account_max,
        ),
        tokens=entrance.tokens,
        users=entrance.users,
        rooms=entrance.bodies,
        turns=entrance.admission,
        throttle=entrance.throttle,
        alone=ground.alone,
        engines=routes_of(settings, ground.where),
        path_prefix=settings.path_prefix,
        address_of=Addresses([text for text in settings.trusted_proxies.split(",") if text]).of,
    )


def routes_of(settings: Settings, where: Target) -> Routes:
    """Return the engine of each type: ``process`` by default on one machine, ``instant`` on PostgreSQL."""
    return settings.engines or parse_routes("*=process" if where.url is None else "*=instant")


def sandbox_of(settings: Settings) -> Sandbox:
    """Return how replicas of the process engine are kept apart."""
    first, _, last = settings.engines_process_uids.partition("-")
    return Sandbox(
        mode=settings.engines_process_sandbox,
        paths=tuple(filter(None, settings.engines_process_paths.split(","))),
        uids=(int(first), int(last)),
        disk_max_bytes=settings.engines_process_disk_max_bytes,
        processes_max=settings.engines_process_processes_max,
    )


def timing_of(settings: Settings) -> Timing:
    """Return how often the reconciler looks at what."""
    return Timing(
        lease_s=settings.reconciler_lease_seconds,
        count_s=settings.stock_ask_seconds,
        count_keep_s=max(Timing().count_keep_s, settings.stock_ask_seconds),
        gone_s=settings.stock_node_gone_minutes * 60,
    )


def logs_of(settings: Settings, engines: Mapping[str, ReplicaEngine], timing: Timing) -> ReplicaLogs:
    """Return what asks engines for the logs of their replicas."""
    return ReplicaLogs(with_gone(engines, gone_of(settings)), node_of(settings), timing.call_s)


def log_store_of(settings: Settings) -> LogStoreClient | None:
    """Return the client of the log store; None: there is none."""
    if settings.log_store_url is None:
        return None
    return LogStoreClient(settings.log_store_url, headers_of(settings.log_store_headers))


@asynccontextmanager
async def sending_lines(
    ground: Components, engines: Mapping[str, ReplicaEngine], worker_id: str, timing: Timing
) -> AsyncIterator[None]:
    """Send the lines of replicas to the log store meanwhile, if there is one."""
    store, with_parts = log_store_of(ground.settings), {name: one for name, one in engines.items() if one.has_log_parts}
    if store is None or not with_parts:
        yield
        return
    logs = FollowedLogs(with_parts, node_of(ground.settings), timing.call_s)
    sender = LogSender(ground.store, logs, store, holder=worker_id, meter=ground.metrics.log_store)
    ground.sequencer.watch(sender)
    sender.start()
    try:
        yield
    finally:
        await sender.stop()
        await store.close()


@asynccontextmanager
async def reconciling(
    ground: Components, routes: Routes, engines: Mapping[str, ReplicaEngine], timing: Timing
) -> AsyncIterator[Reconciler]:
    """Look after replicas meanwhile. Replicas that run at the end go on running."""
    settings = ground.settings
    start_us, deadman_us = settings.create_deadline_minutes * MINUTE_US, settings.deadman_minutes * MINUTE_US
    root = ground.store.ask(lambda ask: ask.user(ask.fact(ROOT_USER) or ""))
    worker_id = ground.server_id
    reconciler = Reconciler(
        ground.store,
        ground.sequencer,
        engines,
        routes,
        worker_id=worker_id,
        node=node_of(settings),
        alone=ground.alone,
        limits=ReplicaLimits(
            start_us=start_us,
            deadman_us=deadman_us if ground.clock.mode == "real" else None,
            loop_us=settings.crash_loop_minutes * MINUTE_US,
        ),
        meter=ground.metrics,
        timing=timing,
        time=MachineTime(ground.clock),
        notify_account_id=None if root is None else root.account_id,
        gone=gone_of(settings),
        keys=ground.keeper.said,
    )
    ground.sequencer.watch(reconciler)
    reconciler.start()
    try:
        async with sending_lines(ground, engines, worker_id, timing):
            yield reconciler
    finally:
        await reconciler.stop()
