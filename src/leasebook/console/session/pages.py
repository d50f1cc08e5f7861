"""The pages on which people sign in and out, and choose language and colours."""

from __future__ import annotations

import math
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from leasebook.api.audit_record import CallRecord
from leasebook.api.auth.identity import policies_of
from leasebook.api.fault import Fault, bad_field
from leasebook.api.ids import uuid4_text
from leasebook.api.responses import fault_of
from leasebook.console.desk import SEE_OTHER, Desk, Look
from leasebook.console.frame import languages
from leasebook.console.pages.units.listing import projects
from leasebook.console.parts import Parts
from leasebook.console.routes import (
    SESSION_COOKIE,
    THEME_COOKIE,
    Fields,
    begin_session,
    drop_cookie,
    get,
    open_get,
    open_post,
    post,
    set_cookie,
)
from leasebook.console.session.attempts import network_of
from leasebook.console.session.passwords import PASSWORD_MIN
from leasebook.console.session.sessions import LinkRefused
from leasebook.contract import errors as e
from leasebook.contract.action import UNITS
from leasebook.contract.policies import FULL, OPERATOR
from leasebook.domain.model.account import User
from leasebook.domain.record.audit_log import OK
from leasebook.translations.catalogues import language_of

TOO_MANY: Final = 429
LOGIN_SHOWN: Final = 64
GONE: Final = 410
A_YEAR_S: Final = 365 * 86_400
FRESH_S: Final = 900
"""For how long a session that a link has begun may set a password without the present one, in seconds."""


async def sign_in_page(look: Look, _: Fields) -> Response:
    """Say how to sign in."""
    query = look.request.query_params
    why = "session_ended" if query.get("ended") == "1" else ""
    return sign_in_again(look, 200, why, query.get("next", ""))


def sign_in_again(look: Look, status: int, why: str = "", wanted: str = "") -> Response:
    """Show how to sign in, with what was refused before; ``wanted`` is the page to go on to."""
    return look.page("session/sign_in.html", status, ways=look.parts.ways, why=why, wanted=wanted)


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


async def use_password(look: Look, fields: Fields) -> Response:
    """Sign in by a login name and its password."""
    login, password, wanted = (fields.get(name, [""])[0] for name in ("login", "password", "next"))
    if (refused := too_often(look, f"login {login.strip().lower()[:LOGIN_SHOWN]}")) is not None:
        return refused
    parts = look.parts
    record = record_of(parts, look.request, "SignIn")
    proved = await parts.passwords.prove(login, password)
    if proved is None:
        parts.sign_ins.signed_in("password", "wrong")
        parts.context.refusals.count(record.address, "", "", e.ACCESS_DENIED.code)
        return sign_in_again(look, e.ACCESS_DENIED.status, "wrong", wanted)
    user, row = proved
    if (state := parts.factors.asks(row, look.party)) is not None:
        parts.sign_ins.signed_in("password", "code_asked")
        return look.page("factor/code.html", state=state, why="", wanted=wanted)
    record.account_id, record.user_id, record.body = user.account_id, user.id, b"password"
    parts.context.sequencer.note(record.line(parts.context.clock.now(), 200, OK, ""))
    parts.sign_ins.signed_in("password", "ok")
    response = look.go_on(wanted)
    begin_session(look.request, response, parts.sessions.begin(user.id, "password", row.changed_at))
    return response


async def account_page(desk: Desk) -> Response:
    """Show the user, and the form of the login name and the password."""
    return await account_of(desk, await user_meant(desk, desk.asked("user")))


async def set_password(desk: Desk) -> Response:
    """Set the login name and the password of the user, or as a manager of another one."""
    to = await user_meant(desk, desk.field("user"))
    password, session = desk.field("password"), desk.session
    row = await desk.parts.factors.password_of(to.id)
    if row is not None and asks_present(desk, to):
        # Someone may have found this browser open. Guesses count with those of the sign-in page.
        if (too_many := too_often(desk, f"login {row.login[:LOGIN_SHOWN]}")) is not None:
            return too_many
        if not await desk.parts.passwords.is_present(row, desk.field("present")):
            return await account_of(desk, to, bad_field("present", desk.gettext("This is not your present password.")))
    if password != desk.field("again"):
        fault = bad_field("password", desk.gettext("The two passwords differ."))
        return await account_of(desk, to, fault)
    record = record_of(desk.parts, desk.request, "SetPassword")
    try:
        at = await desk.parts.passwords.set(session.user, to, desk.field("login"), password, record)
    except Exception as error:  # noqa: BLE001 - every failure has a page
        return await account_of(desk, to, fault_of(error))
    response = desk.go("/account", user=to.id if to.id != session.user.id else None, done="1")
    if session.token.how == "password" and to.id == session.user.id:
        # The present session began by the former password, and ends with it.
        begin_session(desk.request, response, desk.parts.sessions.begin(to.id, "password", at))
    return response


async def account_of(desk: Desk, to: User, fault: Fault | None = None) -> Response:
    """Show a user's page, with what was refused."""
    row = await desk.parts.factors.password_of(to.id)
    names = await projects(desk) if to.project_policies else {}
    return desk.page(
        "session/account.html",
        200 if fault is None else fault.error.status,
        to=to,
        login=desk.field("login") or ("" if row is None else row.login),
        has_password=row is not None,
        asks_present=row is not None and asks_present(desk, to),
        has_factor=row is not None and row.totp is not None,
        recovery_left=0 if row is None else len(row.recovery),
        is_own=to.id == desk.session.user.id,
        policies=sorted(policies_of(to)),
        for_projects=[
            (one.policy, ", ".join(names.get(id_, id_) for id_ in one.project_ids)) for one in to.project_policies
        ],
        fault=fault,
        calendar=await _calendar(desk, to),
        done=desk.asked("done"),
        shortest=PASSWORD_MIN,
    )


def asks_present(desk: Desk, to: User) -> bool:
    """Whether a new password takes the present one: that of the own user does.

    A link that an operator has printed is the way back for a person who has forgotten it, for some minutes.
    """
    token = desk.session.token
    is_fresh_link = token.how == "link" and desk.parts.sessions.age_s(token) < FRESH_S
    return to.id == desk.session.user.id and not is_fresh_link


async def _calendar(desk: Desk, to: User) -> str | None:
    """Return the address of the user's own calendar; None on the page of another user, or without rights to it."""
    if to.id != desk.session.user.id or not desk.can(UNITS, "DescribeComputeUnits"):
        return None
    token = await desk.parts.sessions.calendar(to.id)
    return desk.address(f"/calendar/{token}.ics", language=desk.language if desk.language != "en" else None)


async def user_meant(desk: Desk, user_id: str) -> User:
    """Return the user that a page is about: the own one, for a manager one of the account, for an operator any."""
    own = desk.session.user
    if user_id in ("", own.id):
        return own
    user = await desk.parts.context.reader.read(lambda ask: ask.user(user_id))
    held = policies_of(own)
    may = user is not None and (OPERATOR in held or (FULL in held and user.account_id == own.account_id))
    if not may or user is None or user.deleted_at is not None:
        raise Fault(e.RESOURCE_NOT_FOUND, desk.gettext("There is no user of that id whom you manage."))
    return user


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
    response = sign_in_again(look, TOO_MANY, "too_many")
    response.headers["retry-after"] = str(math.ceil(wait_s))
    return response


def _refused(look: Look, refusal: LinkRefused) -> Response:
    return sign_in_again(look, GONE, refusal.why)


ROUTES: Final = (
    open_get("/sign-in", sign_in_page),
    open_get("/in/{link}", link_page),
    open_post("/in/{link}", use_link),
    open_post("/look", choose_look),
    open_post("/sign-in", use_password),
    post("/sign-out", sign_out),
    get("/account", account_page),
    post("/account", set_password),
)
