"""The console of a server, put together from the parts that calls of the API use."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from leasebook.api.audit_record import Addresses
from leasebook.api.auth.identity import Identities
from leasebook.api.context import Context
from leasebook.api.health import Health
from leasebook.api.inside.calls import InsideCalls
from leasebook.config.load import BadSettings, Settings
from leasebook.config.sections.openid import groups_of
from leasebook.console.app import Console
from leasebook.console.device.logins import DeviceLogins
from leasebook.console.device.pages import routes as device_routes
from leasebook.console.factor.second_factors import SecondFactors
from leasebook.console.parts import BASE, Parts, Services
from leasebook.console.session.attempts import Attempts
from leasebook.console.session.passwords import Passwords
from leasebook.console.session.sessions import SessionLimits, Sessions
from leasebook.console.session.tokens import PURPOSE, Keys
from leasebook.domain.values.calendar import SECOND_US
from leasebook.ports.clock import wall_us
from leasebook.security.vault import Vault
from leasebook.server.factories import Components, Entrance

if TYPE_CHECKING:
    from leasebook.console.openid.pages import OpenIdPages
    from leasebook.console.parts import SignInWay

MINUTE_S = 60
HOUR_S = 3600


class _OpenId(NamedTuple):
    """The pages of a sign-in with the identity provider, its button, and the page that its sign-out leads to."""

    pages: OpenIdPages
    way: SignInWay
    sign_out: str


@asynccontextmanager
async def console_of(
    ground: Components,
    context: Context,
    identities: Identities,
    health: Health,
    vault: Vault,
    entrance: Entrance,
    services: Services,
) -> AsyncIterator[Console | None]:
    """Keep the console; None: this server has none."""
    settings = ground.settings
    if settings.console_served == "no":
        yield None
        return
    calls = InsideCalls(context, identities, ground.metrics, entrance.admission, entrance.throttle)
    keys: Keys = lambda: vault.derived(PURPOSE)  # noqa: E731 - two parts have the same
    sessions = Sessions(ground.store, ground.sequencer, keys, limits_of(settings), now_us=wall_us)
    async with openid_of(ground, vault) as openid:
        yield Console(
            Parts(
                calls=calls,
                services=services,
                sessions=sessions,
                passwords=Passwords(ground.store, ground.sequencer, wall_us),
                factors=SecondFactors(ground.store, ground.sequencer, vault, keys, wall_us),
                attempts=Attempts(settings.console_sign_ins_per_minute, time.monotonic),
                context=context,
                health=health,
                meter=ground.metrics,
                sign_ins=ground.metrics.console,
                addresses=Addresses([text for text in settings.trusted_proxies.split(",") if text]),
                bodies=entrance.bodies,
                path_prefix=settings.path_prefix.rstrip("/"),
                is_public_https=(settings.public_url or "").startswith("https:"),
                ways=() if openid is None else (openid.way,),
                signed_out={} if openid is None else {"openid": openid.sign_out},
            ),
            [*(() if openid is None else openid.pages.routes()), *device_routes(DeviceLogins.of(context))],
        )


@asynccontextmanager
async def openid_of(ground: Components, vault: Vault) -> AsyncIterator[_OpenId | None]:
    """Keep the way to sign in with the identity provider of the settings; None: there is none.

    Nothing is asked of the provider here: a server starts also while it is away. Raises BadSettings.
    """
    settings = ground.settings
    issuer, client_id, public_url = (
        settings.console_openid_issuer,
        settings.console_openid_client_id,
        settings.public_url,
    )
    if issuer is None or client_id is None or public_url is None:
        yield None
        return
    # Imported only where there is a provider: its signatures and requests take a tenth of the time of a start.
    from leasebook.console.openid.fetching import Fetcher
    from leasebook.console.openid.flow import PURPOSE as COOKIE_PURPOSE
    from leasebook.console.openid.flow import Client, CodeFlow
    from leasebook.console.openid.pages import WAY, OpenIdPages
    from leasebook.console.openid.provider import Provider
    from leasebook.console.openid.sign_in import SIGN_OUT, OpenIdSignIn

    account_id = settings.console_openid_account
    if account_id is not None and ground.store.ask(lambda ask: ask.account(account_id)) is None:
        raise BadSettings(
            f"console.openid_account: this store has no account {account_id!r}. DescribeAccounts (/v2/iam) lists them."
        )
    public_base = f"{public_url}{settings.path_prefix.rstrip('/')}{BASE}"
    secret, fetcher = settings.console_openid_client_secret, Fetcher()
    client = Client(
        client_id,
        None if secret is None else secret.reveal(),
        f"{public_base}/openid/callback",
        settings.console_openid_scopes,
        settings.console_openid_groups_claim,
    )
    provider = Provider(issuer, fetcher, time.monotonic)
    flow = CodeFlow(
        provider, fetcher, client, lambda: vault.derived(COOKIE_PURPOSE), now_s=lambda: wall_us() // SECOND_US
    )
    groups = groups_of(settings.console_openid_groups)
    sign_in = OpenIdSignIn(flow, ground.store, ground.sequencer, groups, account_id)
    try:
        yield _OpenId(OpenIdPages(sign_in, public_base), WAY, SIGN_OUT)
    finally:
        await fetcher.close()


def limits_of(settings: Settings) -> SessionLimits:
    """Return how long sessions and links last."""
    return SessionLimits(
        idle_s=settings.console_idle_minutes * MINUTE_S,
        absolute_s=settings.console_session_hours * HOUR_S,
        link_s=settings.console_link_minutes * MINUTE_S,
    )
