"""The two addresses that machines call, and the page on which a person confirms their code."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from leasebook.api.fault import Fault, refused
from leasebook.batch import Closed, OutcomeUnknown, Overloaded, Unavailable
from leasebook.console.desk import Desk
from leasebook.console.device.codes import digest_of, shown, typed
from leasebook.console.device.logins import HOLDS_S, DeviceLogins
from leasebook.console.routes import get, parts_of, path_of, post, read_form
from leasebook.console.session.attempts import Attempts, network_of
from leasebook.console.session.pages import record_of, too_often
from leasebook.contract import errors as e
from leasebook.domain.values.refusal import Refusal
from leasebook.translations.marks import marked

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL_S: Final = 5
"""How long a machine waits between two questions, in seconds."""
ASKED_MAX: Final = 10
"""Requests of one address in a minute."""
ASKED_ALL_MAX: Final = 120
"""Requests of all addresses in a minute, at one server: each is a row until its code lapses."""
POLLS_MAX: Final = 15
"""Questions of one machine in a minute; at the interval there are twelve."""
BODY_MAX: Final = 8192
BAD: Final = 400
TOO_MANY: Final = 429
AWAY: Final = 503
NOT_THERE: Final = marked("There is no such code, or it has lapsed. Begin again on the machine.")
WORDS: Final[dict[str, str]] = {
    "authorization_pending": "The person has not decided yet.",
    "slow_down": f"This machine asks too often. Ask every {INTERVAL_S} seconds, and {INTERVAL_S} seconds slower now.",
    "expired_token": "The code has lapsed. Begin again.",
    "access_denied": "The person refused, or the key was disabled. Begin again.",
    "invalid_grant": "This service gave no such device_code. Begin again.",
    "invalid_request": "The body is a form with grant_type and device_code, each once.",
    "unsupported_grant_type": f"The grant_type is {GRANT}.",
    "temporarily_unavailable": "The service cannot answer now. Ask again.",
}


def routes(logins: DeviceLogins) -> Sequence[BaseRoute]:
    """Return the routes."""
    pages = DevicePages(logins)
    return (
        Route(path_of("/device/code"), pages.code, methods=["POST"]),
        Route(path_of("/device/token"), pages.token, methods=["POST"]),
        get("/device", pages.show),
        post("/device", pages.decide),
    )


class DevicePages:
    """Answers under ``/console/device``."""

    def __init__(self, logins: DeviceLogins) -> None:
        self._logins = logins
        self._asked = Attempts(ASKED_MAX, time.monotonic)
        self._asked_all = Attempts(ASKED_ALL_MAX, time.monotonic)
        self._polls = Attempts(POLLS_MAX, time.monotonic)

    async def code(self, request: Request) -> Response:
        """Give a machine its two codes (RFC 8628, 3.2)."""
        form = await _form(request)
        if form is None:
            return _error("invalid_request")
        address = _address(request)
        wait_s = self._asked.wait_s(network_of(address)) or self._asked_all.wait_s("all")
        if wait_s:
            return _error("slow_down", TOO_MANY, retry_after_s=wait_s)
        try:
            asked = await self._logins.ask(form.get("machine", ""), address)
        except (Refusal, Overloaded, Closed, Unavailable, OutcomeUnknown):
            return _error("temporarily_unavailable", AWAY)
        page = f"{_base(request)}/device"
        return _json(
            {
                "device_code": asked.device_code,
                "user_code": shown(asked.user_code),
                "verification_uri": page,
                "verification_uri_complete": f"{page}?code={shown(asked.user_code)}",
                "expires_in": HOLDS_S,
                "interval": INTERVAL_S,
            }
        )

    async def token(self, request: Request) -> Response:
        """Give a machine its key once a person has approved (RFC 8628, 3.4 and 3.5)."""
        form = await _form(request)
        if form is None or not form.get("device_code"):
            return _error("invalid_request")
        if form.get("grant_type") != GRANT:
            return _error("unsupported_grant_type")
        if self._polls.wait_s(digest_of(form["device_code"])):
            return _error("slow_down")
        try:
            found = await self._logins.collect(form["device_code"])
        except (Overloaded, Closed, Unavailable):
            return _error("temporarily_unavailable", AWAY)
        if isinstance(found, str):
            return _error(found)
        return _json(
            {
                "token_type": "bce-auth-v1",
                "access_key_id": found.access_key_id,
                "secret_access_key": found.secret,
                "user_id": found.user_id,
                "account_id": found.account_id,
            }
        )

    async def show(self, desk: Desk) -> Response:
        """Ask for a code, or ask whether the machine with that code gets a key."""
        given = desk.asked("code")
        if not given:
            return desk.page("device/confirm.html", login=None, code="", why="")
        if (refusal := too_often(desk, f"device {desk.session.user.id}")) is not None:
            return refusal
        code = typed(given)
        login = None if code is None else await self._logins.find(code)
        if login is None or code is None:
            return desk.page("device/confirm.html", e.RESOURCE_NOT_FOUND.status, login=None, code=given, why=NOT_THERE)
        return desk.page("device/confirm.html", login=login, code=shown(code), why="")

    async def decide(self, desk: Desk) -> Response:
        """Approve or refuse."""
        if (refusal := too_often(desk, f"device {desk.session.user.id}")) is not None:
            return refusal
        code, approves = typed(desk.field("code")), desk.field("answer") == "approve"
        if code is None:
            raise Fault(e.RESOURCE_NOT_FOUND, desk.gettext(NOT_THERE))
        record = record_of(desk.parts, desk.request, "ConfirmDevice")
        try:
            await self._logins.decide(desk.session.user, code, record, approves=approves)
        except Refusal as refusal_of_rules:
            raise refused(refusal_of_rules) from None
        return desk.page("device/decided.html", approved=approves)


async def _form(request: Request) -> dict[str, str] | None:
    """Return the fields of a machine's form, each once; None where it is none."""
    body = await read_form(request, BODY_MAX)
    if body is None:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _address(request: Request) -> str:
    peer = "" if request.client is None else request.client.host
    return parts_of(request).addresses.of(peer, request.scope["headers"])


def _base(request: Request) -> str:
    """Return the address of the console, as the person reaches it."""
    parts = parts_of(request)
    public = parts.context.public_base
    if public is not None:
        return f"{public.rstrip('/')}{parts.base.removeprefix(parts.path_prefix)}"
    return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}{parts.base}"


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"cache-control": "no-store"})


def _error(word: str, status: int = BAD, *, retry_after_s: float = 0.0) -> Response:
    response = _json({"error": word, "error_description": WORDS[word]}, status)
    if retry_after_s:
        response.headers["retry-after"] = str(math.ceil(retry_after_s))
    return response
