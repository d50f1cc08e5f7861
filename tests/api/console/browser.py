"""A person with a browser that runs no script, on a service inside the test: keeps cookies, sends the pages' forms."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.api.scene import ServiceHarness
from tests.harness import CLIENT

FORM = re.compile(r"<form\b(.*?)>(.*?)</form>", re.DOTALL)
FIELD = re.compile(r"<input\b[^>]*>|<(?:button|select|textarea)\b[^>]*>")
ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')


class Shown(NamedTuple):
    """The answer that a browser got."""

    status: int
    headers: Mapping[str, str]
    text: str
    address: str

    @property
    def location(self) -> str:
        """Where it is sent."""
        return self.headers["location"]

    def form(self, action: str) -> dict[str, str]:
        """Return the hidden fields of the form with that address; fails where there is none."""
        for head, body in FORM.findall(self.text):
            found = dict(ATTRIBUTE.findall(head)).get("action", self.address)
            if re.split("[?#]", html.unescape(found))[0] == action:
                fields = [dict(ATTRIBUTE.findall(field)) for field in FIELD.findall(body) if field.startswith("<input")]
                return {
                    one["name"]: html.unescape(one.get("value", "")) for one in fields if one.get("type") == "hidden"
                }
        raise AssertionError(f"no form with the address {action} on {self.address}")

    def has_form(self, action: str) -> bool:
        """Whether a form with that address is there."""
        return f'action="{action}' in self.text

    def words(self) -> str:
        """Return the text without its tags."""
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.text)).split())


class Browser:
    """One browser of one person."""

    def __init__(self, scene: ServiceHarness, *, language: str = "en", address: str = CLIENT[0]) -> None:
        self.scene = scene
        self.cookies: dict[str, str] = {}
        self.language = language
        self.address = address

    def sign_in(self, user_id: str) -> Shown:
        """Sign in by a link that works once."""
        console = self.scene.running.console
        assert console is not None
        return self.use(console.link(user_id))

    def use(self, link: str) -> Shown:
        """Open a link to sign in, and press its button."""
        page = self.get(link)
        return page if page.status != 200 else self.post(link, page.form(link))

    def get(self, address: str, **headers: str) -> Shown:
        """Open a page."""
        return self._ask("GET", address, b"", headers)

    def follow(self, address: str, enough: Callable[[str], bool]) -> Shown:
        """Open a page that comes for as long as it is read, and close it once there is enough of it."""
        return self._ask("GET", address, b"", {}, enough)

    def post(self, address: str, fields: Mapping[str, str | Sequence[str]], **headers: str) -> Shown:
        """Send a form."""
        content = urlencode(fields, doseq=True).encode()
        return self._ask("POST", address, content, {"content-type": "application/x-www-form-urlencoded", **headers})

    def send(self, page: Shown, action: str, button: Mapping[str, str] | None = None, **fields: Any) -> Shown:
        """Fill in a form of a page and send it; where the answer sends the browser on, go there."""
        answer = self.post(action, page.form(action) | dict(button or {}) | fields)
        return self.get(answer.location) if answer.status == 303 else answer

    def _ask(
        self,
        method: str,
        address: str,
        content: bytes,
        more: Mapping[str, str],
        enough: Callable[[str], bool] | None = None,
    ) -> Shown:
        parts = urlsplit(address)
        headers = {
            "host": "leasebook.test",
            "accept": "text/html",
            "accept-language": self.language,
            "content-length": str(len(content)),
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (self.address, CLIENT[1]),
            "server": ("leasebook.test", 80),
        }
        return self.scene.runner.run(self._asked(scope, content, address, enough))

    async def _asked(
        self, scope: dict[str, Any], content: bytes, address: str, enough: Callable[[str], bool] | None
    ) -> Shown:
        sent: list[Any] = []
        closed = asyncio.Event()
        requests = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Any:
            if requests:
                return requests.pop()
            await closed.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if enough is not None and enough(b"".join(one.get("body", b"") for one in sent).decode()):
                closed.set()

        await self.scene.running.app(scope, receive, send)
        start, *bodies = sent
        headers = {}
        for name, value in start["headers"]:
            if name == b"set-cookie":
                self._keep(value.decode())
            headers[name.decode()] = value.decode()
        text = b"".join(message.get("body", b"") for message in bodies).decode()
        return Shown(start["status"], headers, text, urlsplit(address).path)

    def _keep(self, cookie: str) -> None:
        (name, value), *_ = parse_qsl(cookie.split(";", maxsplit=1)[0], keep_blank_values=True)
        if "Max-Age=0" in cookie:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value
