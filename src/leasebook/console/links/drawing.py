"""Draws the pages behind links in mails: without session, script or cookie, and with the console off as well."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from leasebook.api.asgi import Headers, Scope
from leasebook.api.links.sheet import Sheet, Wanted
from leasebook.api.links.site import PageFile
from leasebook.api.links.tokens import PATH
from leasebook.console.frame import languages, static
from leasebook.console.frame.headers import HEADERS, NO_STORE
from leasebook.console.frame.templating import rendered
from leasebook.console.routes import THEME_COOKIE, THEMES
from leasebook.translations.catalogues import language_of, named_in_header
from leasebook.translations.messages import in_language

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""That of the console, without scripts."""
OWN: Final = ((b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer"))
"""The headers that differ from the console's: the address of a page must not reach another site."""
_LANGUAGE: Final = "language"


class LinkDrawing:
    """Draws pages for a service whose paths begin with a prefix, which may be empty."""

    def __init__(self, path_prefix: str) -> None:
        self._base = path_prefix + PATH.rstrip("/")
        names = {name for name, _ in OWN}
        self._headers = (*OWN, *(one for one in (*HEADERS, NO_STORE) if one[0] not in names))

    @property
    def headers(self) -> Headers:
        """The headers of every page."""
        return self._headers

    def wanted(self, scope: Scope) -> Wanted:
        """Return what a reader wants: by the address, else as in the console, else as the browser says."""
        request = Request(scope)
        language = (
            language_of(request.query_params.get(_LANGUAGE, ""))
            or language_of(request.cookies.get(languages.COOKIE, ""))
            or named_in_header(request.headers.get("accept-language", ""))
        )
        theme = request.cookies.get(THEME_COOKIE, "")
        return Wanted(language, theme if theme in THEMES else "")

    def drawn(self, sheet: Sheet, wanted: Wanted) -> bytes:
        """Return a page."""
        quoted = sheet.quoted and in_language(sheet.quoted, sheet.language)
        values = {
            "sheet": sheet,
            "quoted": quoted,
            "theme": wanted.theme,
            "language": sheet.language,
            "url": self._url,
        }
        return rendered(sheet.language, "links/sheet.html", values).encode()

    def file(self, path: str) -> PageFile | None:
        """Return a file of the console by its path under the site's; None: it is none."""
        folder, _, rest = path.partition("/")
        version, _, name = rest.partition("/")
        found = static.files().get(name) if folder == "static" else None
        if found is None:
            return None
        return PageFile(found.content, found.media_type, static.cached(found, version))

    def _url(self, path: str) -> str:
        return self._base + path
