"""The pages on which people sign in and out, and choose language and colours."""

from __future__ import annotations

import math
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from leasebook.api.audit_record import CallRecord
from leasebook.api.ids import uuid4_text
from leasebook.console.desk import SEE_OTHER, Desk, Look
from leasebook.console.frame import languages
from leasebook.console.parts import Parts
from leasebook.console.routes import (
    SESSION_COOKIE,
    THEME_COOKIE,
    Fields,
    begin_session,
    drop_cookie,
    open_get,
    open_post,
    post,
    set_cookie,
)
from leasebook.console.session.attempts import network_of
from leasebook.console.session.sessions import LinkRefused
from leasebook.translations.catalogues import language_of

TOO_MANY: Final = 429
GONE: Final = 410
A_YEAR_S: Final = 365 * 86_400


async def sign_in_page(look: Look, _: Fields) -> Response:
    """Say how to sign in."""
    wanted = look.request.query_params.get("next", "")
    return look.page("session/sign_in.html", ways=look.parts.ways, link=None, why="", wanted=wanted)


async def link_page(look: Look, _: Fields) -> Response:
    """Ask whether to sign in by this link. Looking uses nothing up: mail scanners follow every link."""
    if (refused := too_often(look)) is not None:
        return refused
    try:
        link = look.parts.sessions.reads(look.request.path_params["link"])
    except LinkRefused as refusal:
        return _refused(look, refusal)
    user = await look.parts.context.reader.read(lambda ask: ask.user(link.user_id))
    return look.page("session/link.html", name="" if user is None else user.name)


async def use_link(look: Look, _: Fields) -> Response:
    """Sign in by a link, once."""
    if (refused := too_often(look)) is not None:
        return refused
    parts = look.parts
    record = record_of(parts, look.request, "SignIn")
    try:
        user_id = await parts.sessions.use_link(look.request.path_params["link"], record)
    except LinkRefused as refusal:
        parts.sign_ins.signed_in("link", refusal.why)
        return _refused(look, refusal)
    parts.sign_ins.signed_in("link", "ok")
    response = look.go("/")
    begin_session(look.request, response, parts.sessions.begin(user_id, "link"))
    return response


async def sign_out(desk: Desk) -> Response:
    """End the session, here and at every server."""
    await desk.parts.sessions.end(desk.session, record_of(desk.parts, desk.request, "SignOut"))
    response = desk.go(desk.parts.signed_out.get(desk.session.token.how, "/sign-in"))
    drop_cookie(desk.request, response, SESSION_COOKIE)
    return response


async def choose_look(look: Look, fields: Fields) -> Response:
    """Keep the language or the colours that the reader chose, and go back."""
    back = fields.get("back", [""])[0]
    is_ours = back == look.parts.base or back.startswith((f"{look.parts.base}/", f"{look.parts.base}?"))
    response = RedirectResponse(back if is_ours and "\\" not in back else look.url("/"), SEE_OTHER)
    language = language_of(fields.get("language", [""])[0])
    if language is not None:
        set_cookie(look.request, response, languages.COOKIE, language, A_YEAR_S)
    if theme := fields.get("theme", [""])[0]:
        set_cookie(look.request, response, THEME_COOKIE, theme, A_YEAR_S)
    return response


def record_of(parts: Parts, request: Request, action: str) -> CallRecord:
    """Begin what the audit log gets of an attempt to sign in or out."""
    peer = "" if request.client is None else request.client.host
    return CallRecord(uuid4_text(), parts.addresses.of(peer, request.scope["headers"]), "/console", action)


def too_often(look: Look, *parties: str) -> Response | None:
    """Count an attempt to sign in; returns a refusal where the address, or a named party, has made too many."""
    request = look.request
    peer = "" if request.client is None else request.client.host
    address = network_of(look.parts.addresses.of(peer, request.scope["headers"]))
    wait_s = look.parts.attempts.wait_s(f"address {address}", *parties)
    if not wait_s:
        return None
    look.parts.sign_ins.signed_in("any", "too_many")
    response = look.page("session/sign_in.html", TOO_MANY, ways=look.parts.ways, link=None, why="too_many", wanted="")
    response.headers["retry-after"] = str(math.ceil(wait_s))
    return response


def _refused(look: Look, refusal: LinkRefused) -> Response:
    return look.page("session/sign_in.html", GONE, ways=look.parts.ways, link=None, why=refusal.why, wanted="")


ROUTES: Final = (
    open_get("/sign-in", sign_in_page),
    open_get("/in/{link}", link_page),
    open_post("/in/{link}", use_link),
    open_post("/look", choose_look),
    post("/sign-out", sign_out),
)
