"""The pages of signing in with an identity provider: to the provider, back from it, and signed out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from leasebook.console.desk import SEE_OTHER, Look, wanted_path
from leasebook.console.openid.failures import SignInFailed
from leasebook.console.openid.flow import HOLDS_S, SIGNED_OUT
from leasebook.console.openid.sign_in import SIGN_OUT, OpenIdSignIn
from leasebook.console.parts import SignInWay
from leasebook.console.routes import Fields, begin_session, drop_cookie, open_get, set_cookie
from leasebook.console.session.pages import record_of, too_often
from leasebook.translations.marks import marked

log = structlog.get_logger()

COOKIE: Final = "leasebook_openid"
WAY: Final = SignInWay(marked("Sign in with your organisation"), "/openid/start")


class OpenIdPages:
    """Answers under ``/console/openid``. ``public_base`` is the public address of the console."""

    def __init__(self, sign_in: OpenIdSignIn, public_base: str) -> None:
        self._sign_in = sign_in
        self._signed_out = f"{public_base}{SIGN_OUT}"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        return (
            open_get("/openid/start", self._start),
            open_get("/openid/callback", self._callback),
            open_get(SIGN_OUT, self._out),
        )

    async def _start(self, look: Look, _: Fields) -> Response:
        """Send the browser to the provider."""
        if (refused := too_often(look)) is not None:
            return refused
        wanted = wanted_path(look.request.query_params.get("next", "/"))
        try:
            begun = await self._sign_in.begin(wanted)
        except SignInFailed as failed:
            return _failed(look, failed)
        response = RedirectResponse(begun.url, SEE_OTHER)
        set_cookie(look.request, response, COOKIE, begun.cookie, HOLDS_S)
        return response

    async def _callback(self, look: Look, _: Fields) -> Response:
        """Take the provider's answer, and begin a session."""
        if (refused := too_often(look)) is not None:
            return refused
        request, parts = look.request, look.parts
        record = record_of(parts, request, "SignIn")
        try:
            arrived = await self._sign_in.complete(
                request.query_params.multi_items(), request.cookies.get(COOKIE, ""), record
            )
        except SignInFailed as failed:
            return _failed(look, failed)
        parts.sign_ins.signed_in("openid", "ok")
        response = look.go(arrived.back)
        begin_session(request, response, parts.sessions.begin(arrived.user_id, "openid"))
        drop_cookie(request, response, COOKIE)
        return response

    async def _out(self, look: Look, _: Fields) -> Response:
        """Say that the session has ended here, and how to end the one at the provider."""
        try:
            address = await self._sign_in.flow.signing_out(self._signed_out)
        except SignInFailed as failed:
            log.warning("the identity provider cannot be asked where people sign out", reason=failed.detail)
            address = None
        # The provider sends the browser back with this state once it has ended its own session.
        is_everywhere = look.request.query_params.get("state") == SIGNED_OUT
        return look.page(
            "openid/signed_out.html", address=None if is_everywhere else address, is_everywhere=is_everywhere, way=WAY
        )


def _failed(look: Look, failed: SignInFailed) -> Response:
    """Answer with a page that says why, and write the details to the log."""
    look.parts.sign_ins.signed_in("openid", failed.kind)
    log.warning("a sign-in with the identity provider failed", kind=failed.kind, reason=failed.detail)
    return look.page("openid/failed.html", failed.status, text=failed.text, quoted=failed.quoted, way=WAY)
