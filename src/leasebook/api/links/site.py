"""The site under ``/links/``: the pages behind links in mails, and the files that these pages ask for."""

from __future__ import annotations

import time
from typing import Final, NamedTuple, Protocol

import structlog

from leasebook.api.asgi import Headers, Receive, Scope, Send
from leasebook.api.audit_record import Addresses, CallRecord
from leasebook.api.fault import Fault
from leasebook.api.ids import uuid4_text
from leasebook.api.links.pages import LinkPages
from leasebook.api.links.sheet import Sheet, Wanted
from leasebook.api.links.words import LinkWords
from leasebook.api.responses import Meter, answer

log = structlog.get_logger()

HTML: Final = b"text/html; charset=utf-8"
NO_METHOD: Final = 405
READS: Final = ("GET", "HEAD")


class PageFile(NamedTuple):
    """A file that pages ask for."""

    content: bytes
    media_type: str
    cache_control: str


class Drawing(Protocol):
    """Draws pages for browsers."""

    @property
    def headers(self) -> Headers:
        """The headers of every page."""
        ...

    def wanted(self, scope: Scope) -> Wanted:
        """Return what the reader of a request wants."""
        ...

    def drawn(self, sheet: Sheet, wanted: Wanted) -> bytes:
        """Return a page."""
        ...

    def file(self, path: str) -> PageFile | None:
        """Return a file by its path under the site's; None: it is none."""
        ...


class Bodies(Protocol):
    """Reads bodies of calls without a signature."""

    async def small_body(self, headers: Headers, receive: Receive) -> bytes:
        """Read a body; raises Fault where it is too long."""
        ...


class LinkSite:
    """Answers everything under ``/links/``. An address of a link is never logged: anyone who has it may use it."""

    def __init__(self, pages: LinkPages, drawing: Drawing, bodies: Bodies, addresses: Addresses, meter: Meter) -> None:
        self._pages = pages
        self._drawing = drawing
        self._bodies = bodies
        self._addresses = addresses
        self._meter = meter

    async def __call__(self, rest: str, scope: Scope, receive: Receive, send: Send, *, closes: bool) -> None:
        """Answer a request; ``rest`` is its path under the site's, ``closes``: the connection ends afterwards."""
        began, method = time.perf_counter(), scope["method"]
        last = ((b"connection", b"close"),) if closes else ()
        if method in READS and (file := self._drawing.file(rest)) is not None:
            head = ((b"cache-control", file.cache_control.encode()), (b"x-content-type-options", b"nosniff"), *last)
            await answer(send, 200, file.content, file.media_type.encode(), head, head=method == "HEAD")
            return
        wanted = self._drawing.wanted(scope)
        sheet = await self._sheet(rest, scope, receive, wanted)
        self._meter.request_done("/links", "Link", sheet.status, "", time.perf_counter() - began)
        allowed = ((b"allow", b"GET, HEAD, POST"),) if sheet.status == NO_METHOD else ()
        page = self._drawing.drawn(sheet, wanted)
        more = (*self._drawing.headers, *allowed, *last)
        await answer(send, sheet.status, page, HTML, more, head=method == "HEAD")

    async def _sheet(self, token: str, scope: Scope, receive: Receive, wanted: Wanted) -> Sheet:
        words = LinkWords(wanted.language)
        try:
            if scope["method"] in READS:
                return await self._pages.show(token, wanted.language)
            if scope["method"] != "POST":
                return words.sheet(NO_METHOD, words.gettext("This is a page"), words.gettext("Open it in a browser."))
            peer = scope.get("client")
            address = self._addresses.of(peer[0] if peer else "", scope["headers"])
            record = CallRecord(uuid4_text(), address, "/links", "UseLink")
            body = await self._bodies.small_body(scope["headers"], receive)
            return await self._pages.do(token, body, record, wanted.language)
        except Fault as fault:
            return words.sheet(fault.error.status, words.gettext("This cannot be done"), quoted=fault.message)
        except Exception:
            log.exception("a link failed")
            said = words.gettext("Nothing is known of what was done. Open the link again.")
            return words.sheet(500, words.gettext("Something went wrong"), said)
