"""The console of a server, put together from the parts that calls of the API use."""

from __future__ import annotations

import time

from leasebook.api.audit_record import Addresses
from leasebook.api.auth.identity import Identities
from leasebook.api.context import Context
from leasebook.api.health import Health
from leasebook.api.inside.calls import InsideCalls
from leasebook.config.load import Settings
from leasebook.console.app import Console
from leasebook.console.parts import Parts
from leasebook.console.session.attempts import Attempts
from leasebook.console.session.passwords import Passwords
from leasebook.console.session.sessions import SessionLimits, Sessions
from leasebook.console.session.tokens import PURPOSE
from leasebook.ports.clock import wall_us
from leasebook.security.vault import Vault
from leasebook.server.factories import Components, Entrance

MINUTE_S = 60
HOUR_S = 3600


def console_of(
    ground: Components, context: Context, identities: Identities, health: Health, vault: Vault, entrance: Entrance
) -> Console | None:
    """Return the console; None: this server has none."""
    settings = ground.settings
    if settings.console_served == "no":
        return None
    calls = InsideCalls(context, identities, ground.metrics, entrance.admission, entrance.throttle)
    sessions = Sessions(
        ground.store, ground.sequencer, lambda: vault.derived(PURPOSE), limits_of(settings), now_us=wall_us
    )
    return Console(
        Parts(
            calls=calls,
            sessions=sessions,
            passwords=Passwords(ground.store, ground.sequencer, wall_us),
            attempts=Attempts(settings.console_sign_ins_per_minute, time.monotonic),
            context=context,
            health=health,
            meter=ground.metrics,
            sign_ins=ground.metrics.console,
            addresses=Addresses([text for text in settings.trusted_proxies.split(",") if text]),
            path_prefix=settings.path_prefix.rstrip("/"),
            is_public_https=(settings.public_url or "").startswith("https:"),
        )
    )


def limits_of(settings: Settings) -> SessionLimits:
    """Return how long sessions and links last."""
    return SessionLimits(
        idle_s=settings.console_idle_minutes * MINUTE_S,
        absolute_s=settings.console_session_hours * HOUR_S,
        link_s=settings.console_link_minutes * MINUTE_S,
    )
