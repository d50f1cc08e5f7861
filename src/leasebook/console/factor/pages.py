"""The pages of the second factor: the code after a password, and adding and removing it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leasebook.api.fault import Fault, bad_field
from leasebook.api.responses import fault_of
from leasebook.console.desk import Desk, Look
from leasebook.console.factor import codes
from leasebook.console.factor.qr_code import svg_of
from leasebook.console.factor.second_factors import CodeRefused, Offer
from leasebook.console.routes import Fields, begin_session, open_post, post
from leasebook.console.session.pages import LOGIN_SHOWN, account_of, record_of, sign_in_again, too_often, user_meant
from leasebook.contract import errors as e


async def use_code(look: Look, fields: Fields) -> Response:
    """Sign in by the code that follows a right password."""
    state, typed, wanted = (fields.get(name, [""])[0] for name in ("state", "code", "next"))
    parts = look.parts
    how = "recovery" if codes.is_recovery(typed) else "code"
    try:
        asked = await parts.factors.asked(state, look.party)
        if (refused := too_often(look, f"login {asked.password.login[:LOGIN_SHOWN]}")) is not None:
            return refused
        record = record_of(parts, look.request, "SignIn")
        await parts.factors.use(asked, typed, record)
    except CodeRefused as refusal:
        parts.sign_ins.signed_in(how, refusal.why)
        return _refused(look, state, refusal, wanted)
    parts.sign_ins.signed_in(how, "ok")
    response = look.go_on(wanted)
    begin_session(look.request, response, parts.sessions.begin(asked.user.id, "password", asked.password.changed_at))
    return response


def _refused(look: Look, state: str, refusal: CodeRefused, wanted: str) -> Response:
    parts, status = look.parts, e.ACCESS_DENIED.status
    if refusal.why == "ended":
        return sign_in_again(look, status, "code_ended", wanted)
    address = record_of(parts, look.request, "SignIn").address
    parts.context.refusals.count(address, "", "", e.ACCESS_DENIED.code)
    return look.page("factor/code.html", status, state=state, why=refusal.why, wanted=wanted)


async def begin(desk: Desk) -> Response:
    """Offer a secret to the user."""
    try:
        offer = await desk.parts.factors.offer(desk.session.user, desk.session.token.id)
    except Fault as fault:
        return await account_of(desk, desk.session.user, fault)
    return _offered(desk, offer)


async def add(desk: Desk) -> Response:
    """Add the offered secret, and show the recovery codes."""
    factors, user, session_id = desk.parts.factors, desk.session.user, desk.session.token.id
    record = record_of(desk.parts, desk.request, "AddSecondFactor")
    try:
        recovery = await factors.add(user, session_id, desk.field("sealed"), desk.field("code"), record)
    except CodeRefused:
        offer = await factors.offered(user, session_id, desk.field("sealed"))
        return _offered(desk, offer, _wrong(desk))
    except Exception as error:  # noqa: BLE001 - every failure has a page
        return await account_of(desk, user, fault_of(error))
    return desk.page("factor/recovery.html", recovery=recovery)


async def remove(desk: Desk) -> Response:
    """Remove the second factor of the user, or as a manager that of another one."""
    to = await user_meant(desk, desk.field("user"))
    if to.id == desk.session.user.id:
        login = (await desk.parts.passwords.login_of(to)) or ""
        if (refused := too_often(desk, f"login {login[:LOGIN_SHOWN]}")) is not None:
            return refused
    record = record_of(desk.parts, desk.request, "RemoveSecondFactor")
    try:
        await desk.parts.factors.remove(desk.session.user, to, desk.field("code"), record)
    except CodeRefused:
        return await account_of(desk, to, _wrong(desk))
    except Exception as error:  # noqa: BLE001 - every failure has a page
        return await account_of(desk, to, fault_of(error))
    return desk.go("/account", user=to.id if to.id != desk.session.user.id else None, done="2")


def _wrong(desk: Desk) -> Fault:
    return bad_field("code", desk.gettext("This code is wrong, or too old. Check the clock of the authenticator."))


def _offered(desk: Desk, offer: Offer, fault: Fault | None = None) -> Response:
    return desk.page(
        "factor/offer.html",
        200 if fault is None else fault.error.status,
        secret=codes.grouped(offer.secret, " "),
        address=offer.address,
        code=svg_of(offer.address),
        sealed=offer.sealed,
        fault=fault,
    )


ROUTES: Final = (
    open_post("/sign-in/code", use_code),
    post("/account/second-factor/begin", begin),
    post("/account/second-factor", add),
    post("/account/second-factor/remove", remove),
)
