"""The desk: what a page's handler has at hand for one request of a signed-in user.

A page asks and acts with ``do``, which performs an action of the API, and answers with ``page``, ``part`` or ``go``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from leasebook import __version__
from leasebook.api.auth.identity import SignedIn
from leasebook.api.fault import Fault
from leasebook.api.inside.calls import Visitor
from leasebook.console.frame import formats, words
from leasebook.console.frame.languages import texts
from leasebook.console.frame.notices import NOTICES
from leasebook.console.frame.templating import rendered
from leasebook.console.navigation import MENU
from leasebook.console.parts import Parts
from leasebook.console.session.sessions import Session
from leasebook.console.session.tokens import new_id
from leasebook.contract.action import Action
from leasebook.contract.actions import TABLE
from leasebook.domain.values.calendar import Instant
from leasebook.ports.clock import wall_us
from leasebook.translations.catalogues import Language
from leasebook.translations.messages import in_language

SEE_OTHER = 303
PATH: Final = re.compile(r"/(?!/)[!-\[\]-~]{0,500}")
"""A path under the console's address, with its query."""
FRAGMENT = "hx-request"
"""The header of a request that wants a part of a page and not a whole one."""


def wanted_path(text: str) -> str:
    """Return the page under the console's address to go on to after signing in; the first one for any other text."""
    return text if PATH.fullmatch(text) else "/"


class Look:
    """How a page looks to its reader, signed in or not: language, colours, and the token of its forms."""

    def __init__(self, parts: Parts, request: Request, *, language: Language, theme: str, party: str) -> None:
        self.parts = parts
        self.request = request
        self.language = language
        self.theme = theme
        self.party = party
        self.gettext = texts(language).gettext
        self.ngettext = texts(language).ngettext

    def url(self, path: str, **query: object) -> str:
        """Return the address of a page of the console; empty values of the query are left out."""
        asked = {name: value for name, value in query.items() if value not in (None, "", [])}
        return f"{self.parts.base}{path}" + (f"?{urlencode(asked, doseq=True)}" if asked else "")

    @property
    def origin(self) -> str:
        """The address of the server, with the service's prefix, as the browser sees it."""
        request = self.request
        return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}{self.parts.path_prefix}"

    def address(self, path: str, **query: object) -> str:
        """Return the whole address of a page, for other programs."""
        return self.origin + self.url(path, **query).removeprefix(self.parts.path_prefix)

    def visitor(self, user_id: str) -> Visitor:
        """Return who calls from inside for this request, as a user."""
        request = self.request
        peer = "" if request.client is None else request.client.host
        address = self.parts.addresses.of(peer, request.scope["headers"])
        return Visitor(user_id=user_id, address=address, origin=self.origin)

    def values(self) -> dict[str, Any]:
        """Return what every template has."""
        path = self.request.url.path
        return {
            "look": self,
            "new_once": new_id,
            "said": self.said,
            "sentence": self.said,
            "url": self.url,
            "theme": self.theme,
            "language": self.language,
            "form_token": self.parts.sessions.form_token(self.party),
            "here": f"{path}?{self.request.url.query}" if self.request.url.query else path,
            "path": path.removeprefix(self.parts.base) or "/",
            "version": __version__,
            "user": None,
            "account": None,
            "menu": (),
            "refusal": None,
            "notice": "",
        }

    def said(self, message: str) -> str:
        """Return a message of a refusal, or a sentence of an answer, in the reader's language."""
        return in_language(message, self.language)

    def page(self, template: str, /, status: int = 200, **values: Any) -> Response:
        """Answer with a template."""
        return HTMLResponse(rendered(self.language, template, self.values() | values), status)

    def go(self, path: str, **query: object) -> Response:
        """Send the browser to another page of the console: after a form, so that reloading does not repeat it."""
        return RedirectResponse(self.url(path, **query), SEE_OTHER)

    def go_on(self, wanted: str) -> Response:
        """Send the browser, once it is signed in, to the page that it wanted, or to the first one."""
        return RedirectResponse(self.parts.base + wanted_path(wanted), SEE_OTHER)


class Desk(Look):
    """The desk of a signed-in user; ``fields`` are those of a form that came with a valid token."""

    def __init__(
        self,
        parts: Parts,
        request: Request,
        session: Session,
        identity: SignedIn,
        *,
        language: Language,
        theme: str,
    ) -> None:
        super().__init__(parts, request, language=language, theme=theme, party=session.token.id)
        self.session = session
        self.identity = identity
        self.fields: Mapping[str, Sequence[str]] = {}
        self.refusal: Fault | None = None

    @property
    def zone(self) -> str:
        """The account's time zone."""
        return self.session.account.time_zone

    @property
    def currency(self) -> str:
        """The currency of all amounts."""
        return self.parts.context.rules.currency

    @property
    def rights(self) -> Hashable:
        """The reader and the policies that the reader has now: an answer is kept for these, and not for the reader."""
        return self.identity.user_id, self.identity.policies, self.identity.project_policies

    @property
    def now(self) -> Instant:
        """The service's time, which a test may have moved."""
        return self.parts.context.clock.now()

    @property
    def is_fragment(self) -> bool:
        """Whether the script asked, which wants only the part that changes."""
        return self.request.headers.get(FRAGMENT) == "true"

    def asked(self, name: str) -> str:
        """Return a value of the query, without blanks around it; "" where there is none."""
        return self.request.query_params.get(name, "").strip()

    def field(self, name: str) -> str:
        """Return a field of the form, without blanks around it; "" where it is missing or empty."""
        given = self.fields.get(name, ())
        return given[0].strip() if given else ""

    def on_own_clocks(self, typed: str) -> str:
        """Return a typed time with the offset of the account's clocks: requests read one without as the service's.

        A text that is no time is returned unchanged, and the action refuses it.
        """
        try:
            at = datetime.fromisoformat(typed)
        except ValueError:
            return typed
        try:
            return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(self.zone))).isoformat()
        except OverflowError:
            return typed

    def typed(self, name: str, instead: object = "", **form: str) -> object:
        """Return what was typed into a field of the form that was refused; ``instead`` in all other forms.

        ``form`` has the fields by which that form is known from the others of its page.
        """
        if self.refusal is None or any(self.field(key) != value for key, value in form.items()):
            return instead
        return self.field(name)

    def many(self, name: str) -> list[str]:
        """Return all values of a field of the form."""
        return [value for value in self.fields.get(name, ()) if value]

    async def do(
        self, path: str, action: str, body: Mapping[str, Any] | None = None, *, client_token: str | None = None
    ) -> Any:
        """Perform an action as the user; returns its result. Raises Fault, which makes a page that says why."""
        return await self.parts.calls.do(self._visitor(), path, action, body, client_token=client_token)

    async def try_to(
        self, path: str, action: str, body: Mapping[str, Any] | None = None
    ) -> tuple[Any | None, Fault | None]:
        """Perform an action for a part of a page that does without: returns its result, or why there is none.

        Nothing is asked for that the user may not do: then there is neither.
        """
        if not self.can(path, action):
            return None, None
        try:
            return await self.do(path, action, body), None
        except Fault as fault:
            return None, fault

    async def follow(self, path: str, action: str, body: Mapping[str, Any], last_event_id: str | None) -> Any:
        """Begin a stream of events as the user."""
        return await self.parts.calls.do(self._visitor(), path, action, body, last_event_id=last_event_id)

    def can(self, path: str, action: str) -> bool:
        """Whether the user's policies permit an action in the own account. Pages show no button that is refused."""
        return self.identity.may_at_home(self._row(path, action))

    def can_across(self, path: str, action: str) -> bool:
        """Whether the user's policies permit an action in other accounts."""
        return self.identity.may_across(self._row(path, action))

    def projects_of(self, path: str, action: str) -> frozenset[str] | None:
        """Return the projects to which the user's policies confine an action; None: it is not confined."""
        return self.identity.within(self._row(path, action), None)

    def values(self) -> dict[str, Any]:
        """Return what every template has."""
        return super().values() | {
            "user": self.session.user,
            "account": self.session.account,
            "menu": [entry for entry in MENU if entry.is_for(self)],
            "refusal": self.refusal,
            "notice": self._notice(),
            "policy": self.policy,
            "typed": self.typed,
            "can": self.can,
            "can_across": self.can_across,
            "when": self.when,
            "sentence": self.sentence,
            "left": self.left,
            "typed_time": lambda value: formats.typed_in_zone(value or "", self.zone),
            "zone": self.zone,
            "currency": self.currency,
            "now": self.now,
            "now_text": formats.in_zone(self.now, self.zone),
            "ahead_ms": (self.now - wall_us()) // 1000,
            "is_virtual": self.parts.context.clock.mode == "virtual",
        }

    def when(self, at: Instant | str | datetime | None) -> Markup:
        """Write a time for a page."""
        return formats.time_tag(at, self.zone)

    def sentence(self, message: str) -> Markup:
        """Write a sentence of an answer in the reader's language, with its times as pages have them."""
        user = self.session.user
        said = self.said(message).replace(f" {user.id} ", f" {user.name} ")
        return formats.sentence(words.POLICY.sub(lambda name: self.policy(name[0]), said), self.zone)

    def left(self, at: Instant | str | datetime | None) -> Markup:
        """Write how long it is until a time."""
        return formats.left_tag(at, self.now, "" if at in (None, "") else self.left_text(at))

    def left_text(self, at: Instant | str | datetime | None) -> str:
        """Say how long it is until a time, in the two largest units that there are."""
        if at is None:
            return ""
        minutes = int((formats.moment(at) - formats.moment(self.now)).total_seconds() // 60)
        if minutes < 0:
            return self.gettext("due")
        return self.span(minutes * 60)

    def span(self, seconds: int) -> str:
        """Say how long something is, in the two largest units that there are."""
        minutes = seconds // 60
        days, hours = minutes // 1440, minutes % 1440 // 60
        if days:
            return self.gettext("%(days)s d %(hours)s h") % {"days": days, "hours": hours}
        return self.gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes % 60}

    def fault(self, fault: Fault) -> Response:
        """Answer with a page, or a part of one, that says why something was refused."""
        template = "frame/fault_part.html" if self.is_fragment else "frame/fault.html"
        return self.page(template, fault.error.status, fault=fault)

    async def refused(self, fault: Fault, page: Callable[[Desk], Awaitable[Response]]) -> Response:
        """Answer a form that was refused with its page: it has the message, and in the form what was typed."""
        self.refusal = fault
        response = await page(self)
        response.status_code = fault.error.status
        return response

    def policy(self, name: str, place: int = 0) -> str:
        """Return a policy's name for people, or, at place 1, its purpose; its own name where it has neither."""
        return self.gettext(words.POLICIES[name][place]) if name in words.POLICIES else name

    def _notice(self) -> str:
        """Return the sentence about the form that led here; none beside a refusal."""
        done = NOTICES.get(self.asked("done"))
        return "" if done is None or self.refusal is not None else self.gettext(done)

    @staticmethod
    def _row(path: str, action: str) -> Action:
        return TABLE[path, action]

    def _visitor(self) -> Visitor:
        return self.visitor(self.session.user.id)
