"""Routes: each is a handler of a signed-in user's desk, with everything around it that all pages share."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from leasebook.api.body.budget import SMALL, Room, announced
from leasebook.api.fault import Fault
from leasebook.api.inside.calls import UserGone
from leasebook.api.responses import fault_of
from leasebook.console.desk import FRAGMENT, SEE_OTHER, Desk, Look
from leasebook.console.frame import languages
from leasebook.console.parts import Parts
from leasebook.console.session.tokens import new_id
from leasebook.contract import errors as e
from leasebook.translations.catalogues import Language

Handler = Callable[[Desk], Awaitable[Response]]
OpenHandler = Callable[[Look, Mapping[str, Sequence[str]]], Awaitable[Response]]
Fields = Mapping[str, Sequence[str]]

SESSION_COOKIE: Final = "leasebook_session"
BROWSER_COOKIE: Final = "leasebook_browser"
THEME_COOKIE: Final = "leasebook_theme"
THEMES: Final = ("light", "dark")
FORM_MAX: Final = 256 << 10
"""Bytes of a form of a signed-in user: a thousand ids with room to spare. Others have ``SMALL``; a form of more
bytes than that takes a part of ``http.bodies_max_bytes``."""
FIELDS_MAX: Final = 2000
TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
OWN_SITES: Final = ("same-origin", "none")
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


class PageRoute(Route):
    """The route of a page, or of a form; ``shows`` is the handler of that page, or of the page with the form."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        *,
        methods: Sequence[str],
        shows: Handler | None = None,
    ) -> None:
        super().__init__(path_of(path), endpoint, methods=methods)
        self.shows: Final = shows

    @property
    def is_page(self) -> bool:
        """Whether the address can be opened, and does not only take a form."""
        return "GET" in (self.methods or ())


def get(path: str, handler: Handler) -> Route:
    """Return the route of a page."""
    return PageRoute(path, _signed_in(handler), methods=["GET", "HEAD"], shows=handler)


def post(path: str, handler: Handler, page: Handler | None = None) -> Route:
    """Return the route of a form. It is handled only with a token that this session's pages have.

    ``page`` shows the form again where it is refused; None: another page says why.
    """
    return PageRoute(path, _signed_in(handler, page), methods=["POST"], shows=page)


def open_get(path: str, handler: OpenHandler) -> Route:
    """Return the route of a page that needs no session."""
    return PageRoute(path, _open(handler), methods=["GET", "HEAD"])


def open_post(path: str, handler: OpenHandler) -> Route:
    """Return the route of a form that needs no session, but a token that this browser's pages have."""
    return PageRoute(path, _open(handler), methods=["POST"])


def ways_back(routes: Iterable[BaseRoute]) -> list[Route]:
    """Return a route for each address that only takes a form: opened as a page, it leads to the page of the form.

    A refused form is answered at that address, and its reader may reload it, go back to it, or change the language
    there. The page of a form is the one that shows it again, or else the nearest one above its address.
    """
    known = [one for one in routes if isinstance(one, PageRoute)]
    pages = {one.path: one for one in known if one.is_page}
    forms = {one.path: one for one in known if one.path not in pages}
    back = [_way_back(path, _page_of(form, pages)) for path, form in forms.items()]
    # An address in full goes before one with a parameter, which it fits too.
    return sorted(back, key=lambda one: "{" in one.path)


def _page_of(form: PageRoute, pages: Mapping[str, PageRoute]) -> str:
    """Return the path of the page of a form."""
    for path, page in pages.items():
        if form.shows is not None and page.shows == form.shows:
            return path
    above = form.path
    while above not in pages and "/" in above:
        above = above.rpartition("/")[0]
    return above or path_of("/")


@cache
def _way_back(path: str, page: str) -> Route:
    """Return the route, the same one for every console: it takes what it needs from the request."""

    async def endpoint(request: Request) -> Response:
        given = request.path_params
        own = _PARAMETER.sub(lambda name: quote(str(given.get(name[1], "")), safe=""), page)
        return RedirectResponse(parts_of(request).path_prefix + own, SEE_OTHER)

    return Route(path, endpoint, methods=["GET", "HEAD"])


def path_of(path: str) -> str:
    """Return the path of a route: the console's own, without the service's prefix."""
    return "/console" if path == "/" else f"/console{path}"


def parts_of(request: Request) -> Parts:
    """Return the parts of the console that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


def set_cookie(request: Request, response: Response, name: str, value: str, max_age_s: int | None = None) -> None:
    """Give the browser a cookie of the console: no script reads it, and no other site sends it with a form."""
    parts = parts_of(request)
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path=parts.path_prefix or "/",
        secure=request.url.scheme == "https" or parts.is_public_https,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(name, path=parts_of(request).path_prefix or "/", httponly=True, samesite="lax")


def begin_session(request: Request, response: Response, cookie: str) -> None:
    """Give the browser the cookie of a session that ``Sessions.begin`` made."""
    set_cookie(request, response, SESSION_COOKIE, cookie)


def _signed_in(handler: Handler, page: Handler | None = None) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        parts = parts_of(request)
        session = await parts.sessions.find(request.cookies.get(SESSION_COOKIE, ""))
        if session is None:
            return _to_sign_in(request, parts)
        language, theme = _tastes(request)
        try:
            identity = await parts.calls.identity(session.user.id)
            desk = Desk(parts, request, session, identity, language=language, theme=theme)
            response = await _handled(desk, handler, page)
        except UserGone:
            return _to_sign_in(request, parts)
        # A page that refreshes by itself is no sign of its reader.
        is_alive = request.method == "POST" or FRAGMENT not in request.headers
        cookie = parts.sessions.renewed(session.token) if is_alive else None
        if cookie is not None and not _sets_session(response):
            begin_session(request, response, cookie)
        return response

    return _counted(endpoint)


async def _handled(desk: Desk, handler: Handler, page: Handler | None) -> Response:
    try:
        room = await _room_for(desk)
    except Exception as error:  # noqa: BLE001 - every failure has a page
        return desk.fault(fault_of(error))
    try:
        return await _answered(desk, handler, page)
    finally:
        if room is not None:
            # The handler has read all that the answer needs of the form.
            desk.fields = {}
            room.leave()


async def _room_for(desk: Desk) -> Room | None:
    """Take memory for a large form out of that of all bodies; None: it needs none. Raises Fault, or Overloaded."""
    size = announced(desk.request.scope["headers"], FORM_MAX) if desk.request.method == "POST" else 0
    if size > FORM_MAX:
        raise _too_long(FORM_MAX)
    return await desk.parts.bodies.room(desk.session.account.id, size) if size > SMALL else None


async def _answered(desk: Desk, handler: Handler, page: Handler | None) -> Response:
    try:
        fields = await _fields(desk.request, desk.parts, desk.session.token.id, FORM_MAX)
    except Fault as fault:
        return desk.fault(fault)
    if fields is None:
        return _forged(desk)
    desk.fields = fields
    try:
        return await handler(desk)
    except UserGone:
        raise
    except Exception as error:  # noqa: BLE001 - every failure has a page
        return await _refused(desk, fault_of(error), page)


async def _refused(desk: Desk, fault: Fault, page: Handler | None) -> Response:
    if page is None or desk.is_fragment:
        return desk.fault(fault)
    try:
        return await desk.refused(fault, page)
    except Fault:
        # The form's page cannot be shown either, as for a user who may do less than it takes.
        return desk.fault(fault)


def _open(handler: OpenHandler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        look = _look(request)
        try:
            fields = await _fields(request, look.parts, look.party, SMALL)
            response = _forged(look) if fields is None else await handler(look, fields)
        except Exception as error:  # noqa: BLE001 - every failure has a page
            fault = fault_of(error)
            response = look.page("frame/fault.html", fault.error.status, fault=fault)
        _keep_party(look, response)
        return response

    return _counted(endpoint)


async def reader_of(look: Look) -> Look:
    """Return the desk of the reader of an open page where a session holds, so that the page has its menu."""
    parts, request = look.parts, look.request
    session = await parts.sessions.find(request.cookies.get(SESSION_COOKIE, ""))
    if session is None:
        return look
    try:
        identity = await parts.calls.identity(session.user.id)
    except UserGone:
        return look
    return Desk(parts, request, session, identity, language=look.language, theme=look.theme)


async def no_page(request: Request) -> Response:
    """Answer where no page is: a reader who is signed in has the menu beside that."""
    look = _look(request)
    fault = Fault(e.RESOURCE_NOT_FOUND, look.gettext("There is no page at this address."))
    try:
        look = await reader_of(look)
    except Exception as error:  # noqa: BLE001 - every failure has a page
        fault = fault_of(error)
    response = look.page("frame/fault.html", fault.error.status, fault=fault)
    _keep_party(look, response)
    return response


def _look(request: Request) -> Look:
    """Return how a page looks to a reader who need not be signed in."""
    parts = parts_of(request)
    language, theme = _tastes(request)
    # The pages of a session carry the session's token, also in the forms that need none.
    session = parts.sessions.party_of(request.cookies.get(SESSION_COOKIE, ""))
    party = session or request.cookies.get(BROWSER_COOKIE, "") or new_id()
    return Look(parts, request, language=language, theme=theme, party=party)


def _keep_party(look: Look, response: Response) -> None:
    """Let a browser without a name of its own keep the one that its forms were made for."""
    if not look.request.cookies.get(BROWSER_COOKIE, ""):
        set_cookie(look.request, response, BROWSER_COOKIE, look.party)


def _counted(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def counted(request: Request) -> Response:
        began = time.perf_counter()
        response = await endpoint(request)
        seconds = time.perf_counter() - began
        parts_of(request).meter.request_done("/console", "Page", response.status_code, "", seconds)
        return response

    return counted


def _tastes(request: Request) -> tuple[Language, str]:
    """Return the language and the colours that the reader wants; "" is what the system has."""
    theme = request.cookies.get(THEME_COOKIE, "")
    language = languages.chosen(request.cookies.get(languages.COOKIE), request.headers.get("accept-language", ""))
    return language, theme if theme in THEMES else ""


async def _fields(request: Request, parts: Parts, party: str, most: int) -> Fields | None:
    """Return the fields of a form, empty for a page; None where the form is none of ours. Raises Fault if too long."""
    if request.method != "POST":
        return {}
    # A browser says which site a form is from. Where it does not, the token alone says it.
    if request.headers.get("sec-fetch-site", "none") not in OWN_SITES:
        return None
    body = await read_form(request, most)
    if body is None:
        raise _too_long(most)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return None
    given = fields.pop(TOKEN, [""])[0]
    return fields if parts.sessions.is_form_token(party, given) else None


async def read_form(request: Request, most: int) -> bytes | None:
    """Return the body of a form; None if it is longer than ``most`` bytes. One that is cut off is empty."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                return None
    except ClientDisconnect:
        # The browser has left and waits for no answer.
        return b""
    return body


def _too_long(most: int) -> Fault:
    return Fault(e.ENTITY_TOO_LARGE, f"The form has more than {most} bytes.")


def _forged(look: Look) -> Response:
    """Refuse a form that this session's pages did not make."""
    fault = Fault(
        e.ACCESS_DENIED,
        look.gettext("This form is from another session or has been open too long. Load the page again."),
    )
    return look.page("frame/fault.html", fault.error.status, fault=fault, heading=look.gettext("This form has expired"))


def _to_sign_in(request: Request, parts: Parts) -> Response:
    """Send the browser to sign in, and back afterwards to the page that it wanted, or to that of the form it sent."""
    look = Look(parts, request, language="en", theme="", party="")
    had_session = bool(request.cookies.get(SESSION_COOKIE))
    ended = "1" if had_session else None
    if request.headers.get(FRAGMENT) == "true":
        return Response(status_code=204, headers={"hx-redirect": look.url("/sign-in", ended=ended)})
    wanted = request.url.path.removeprefix(parts.base)
    query = f"?{request.url.query}" if request.url.query else ""
    is_page = request.method == "GET" or had_session
    response = RedirectResponse(
        look.url("/sign-in", next=wanted + query if is_page and wanted else None, ended=ended), SEE_OTHER
    )
    if had_session:
        drop_cookie(request, response, SESSION_COOKIE)
    return response


def _sets_session(response: Response) -> bool:
    return any(SESSION_COOKIE in value for value in response.headers.getlist("set-cookie"))
