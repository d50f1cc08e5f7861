"""The parts of a service that work beside its answers: what tells, passes calls on and looks after replicas."""

from __future__ import annotations

import platform
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from leasehold.api import present
from leasehold.api.ids import hex_id
from leasehold.api.links import Links
from leasehold.clock import Clock
from leasehold.commands.founding import ROOT_USER
from leasehold.domain.calendar import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant, rfc3339, to_datetime
from leasehold.domain.event import Event
from leasehold.domain.money import parse_amount
from leasehold.domain.plan import Limits as ReplicaLimits
from leasehold.domain.reminder import to_offsets
from leasehold.domain.route import Routes, parse_routes
from leasehold.domain.rules import Rules
from leasehold.engines.building import build_engines
from leasehold.engines.contract import ReplicaEngine
from leasehold.facts import Facts
from leasehold.gateway.app import Gateway
from leasehold.gateway.ports import Limits as CallLimits
from leasehold.gateway.ports import Target as Answering
from leasehold.gateway.ports import Targets
from leasehold.keyring import KeyKeeper
from leasehold.outbox.address import Allowed, networks_of
from leasehold.outbox.dispatcher import Dispatcher
from leasehold.outbox.mailbox import server_of
from leasehold.outbox.sending import Sender
from leasehold.outbox.webhook import WebhookSender
from leasehold.questions import EventPlace, Questions
from leasehold.reconciler.ports import Timing
from leasehold.reconciler.worker import Reconciler
from leasehold.seals import AuditKeys
from leasehold.sequencer import Sequencer, Trail
from leasehold.settings import Settings
from leasehold.store.opening import OpenStore, Target
from leasehold.telemetry import Metrics
from leasehold.vault import Vault

GIVEN_UP_KEEP_DAYS: Final = 30
SPANS_US: Final = {"d": DAY_US, "h": HOUR_US, "m": MINUTE_US}


class Ground(msgspec.Struct, frozen=True):
    """What every part stands on."""

    settings: Settings
    where: Target
    store: OpenStore
    sequencer: Sequencer
    clock: Clock
    metrics: Metrics
    facts: Facts
    keeper: KeyKeeper

    @property
    def alone(self) -> bool:
        """Whether nobody else writes to the store."""
        return self.where.url is None


def rules_of(settings: Settings) -> Rules:
    """Return the settings that rules depend on."""
    horizon, minimum = settings.release_horizon_max_seconds, settings.postpaid_balance_min
    return Rules(
        time_zone=settings.time_zone,
        currency=settings.currency,
        release_lead_min_us=settings.release_lead_min_seconds * SECOND_US,
        release_horizon_max_us=None if horizon is None else horizon * SECOND_US,
        postpaid_balance_min=None if minimum is None else parse_amount(minimum),
        retention_us=settings.retention_days * DAY_US,
        arrears_grace_us=settings.arrears_grace_hours * HOUR_US,
        quote_keep_us=settings.quote_keep_minutes * MINUTE_US,
        token_keep_us=settings.tokens_keep_hours * HOUR_US,
        remind_before_us=_offsets(settings.reminders_before),
        give_up_us=settings.webhook_give_up_hours * HOUR_US,
        delivered_keep_us=settings.deliveries_keep_days * DAY_US,
        given_up_keep_us=max(GIVEN_UP_KEEP_DAYS, settings.deliveries_keep_days) * DAY_US,
    )


def _offsets(text: str) -> tuple[int, ...]:
    """Read what ``reminders.before`` says, such as 1d,1h."""
    if text == "none":
        return ()
    return to_offsets(tuple(int(span[:-1]) * SPANS_US[span[-1]] for span in text.split(",")))


def trail_of(settings: Settings, keys: AuditKeys, clock: Clock, metrics: Metrics) -> Trail:
    """Begin the audit trail of this run."""
    return Trail(
        keys=keys,
        new_chain=lambda: f"{to_datetime(clock.now(), 'UTC'):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        lost=metrics,
        keep_us=settings.audit_keep_days * DAY_US or None,
    )


def allowed_of(settings: Settings) -> Allowed:
    """Return where webhooks may go."""
    return Allowed(settings.webhook_allow_http == "yes", networks_of(settings.webhook_allow_private or ""))


def dispatcher_of(ground: Ground, vault: Vault, links: Links) -> Dispatcher:
    """Return what tells the world, with everybody who can send."""
    settings = ground.settings

    def shown(at: Instant) -> str:
        return rfc3339(at, settings.time_zone)

    def show(account_id: str, place: EventPlace, event: Event) -> bytes:
        return msgspec.json.encode(present.event(account_id, place, event, shown, links))

    senders: dict[str, Sender] = {
        "Webhook": WebhookSender(
            allowed_of(settings),
            lambda hook, sealed: vault.open(sealed, context=hook.id),
            timeout_s=settings.webhook_timeout_seconds,
        )
    }
    if settings.smtp_url is not None:
        from leasehold.outbox.mail import MailSender

        senders["Email"] = MailSender(server_of(settings.smtp_url.reveal()), settings.mail_from, shown)
    return Dispatcher(
        ground.store,
        ground.sequencer,
        ground.clock,
        ground.metrics,
        senders,
        show,
        holder=hex_id(),
        alone=ground.alone,
    )


class Replicas(Targets):
    """Where calls go: the replicas that the books say are healthy."""

    def of(self, ask: Questions, service_id: str) -> Sequence[Answering]:
        """Return the healthy replicas of a service."""
        return [Answering(row.name, row.address) for row in ask.targets(service_id) if row.state == "Ready"]


def gateway_of(ground: Ground, targets: Targets | None) -> Gateway:
    """Return what passes calls of services on."""
    settings = ground.settings
    return Gateway(
        reader=ground.store,
        facts=ground.facts,
        sequencer=ground.sequencer,
        clock=ground.clock,
        targets=targets or Replicas(),
        meter=ground.metrics,
        limits=CallLimits(
            connect_s=settings.gateway_connect_seconds,
            first_byte_s=settings.gateway_first_byte_seconds,
            idle_s=settings.gateway_idle_seconds,
            headers_max=settings.gateway_headers_max_bytes,
            concurrency_max=settings.gateway_concurrency_max,
        ),
        alone=ground.alone,
        path_prefix=settings.path_prefix,
    )


def routes_of(settings: Settings, where: Target) -> Routes:
    """Return which engine runs what; a machine of its own runs what it is asked to, many must be told how."""
    return settings.engines or parse_routes("*=process" if where.url is None else "*=instant")


def timing_of(settings: Settings) -> Timing:
    """Return how often the reconciler looks at what."""
    return Timing(
        lease_s=settings.reconciler_lease_seconds,
        count_s=settings.stock_ask_seconds,
        count_keep_s=max(Timing().count_keep_s, settings.stock_ask_seconds),
        gone_s=settings.stock_node_gone_minutes * 60,
    )


@asynccontextmanager
async def reconciling(
    ground: Ground, routes: Routes, given: Mapping[str, ReplicaEngine] | None, timing: Timing | None
) -> AsyncIterator[Reconciler]:
    """Look after replicas meanwhile. What runs at the end goes on running."""
    settings, engines = ground.settings, given
    if engines is None:
        engines = build_engines(
            routes,
            ground.where.directory,
            settings.engines_process_units,
            settings.engines_ray_address,
            settings.engines_ray_serve_port,
        )
    start_us, deadman_us = settings.create_deadline_minutes * MINUTE_US, settings.deadman_minutes * MINUTE_US
    root = ground.store.ask(lambda ask: ask.user(ask.fact(ROOT_USER) or ""))
    reconciler = Reconciler(
        ground.store,
        ground.sequencer,
        engines,
        routes,
        worker_id=hex_id(),
        node=platform.node(),
        alone=ground.alone,
        limits=ReplicaLimits(start_us=start_us, deadman_us=deadman_us if ground.clock.mode == "real" else None),
        meter=ground.metrics,
        timing=timing or timing_of(settings),
        told_to=None if root is None else root.account_id,
    )
    reconciler.keys = ground.keeper.said
    ground.sequencer.watch(reconciler)
    reconciler.start()
    try:
        yield reconciler
    finally:
        await reconciler.stop()
        for engine in engines.values():
            await engine.close()
