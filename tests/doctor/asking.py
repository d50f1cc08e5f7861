"""Runs ``leasebook doctor``, and a proxy that changes what it passes on."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from click.testing import CliRunner

from leasebook.cli.main import cli

VARIABLES = {
    **dict.fromkeys(("LEASEBOOK_CLIENT_URL", "LEASEBOOK_CLIENT_ACCESS_KEY", "LEASEBOOK_CLIENT_SECRET_KEY")),
    **dict.fromkeys(("QIANFAN_ACCESS_KEY", "QIANFAN_SECRET_KEY", "QIANFAN_CONSOLE_API_BASE_URL", "LEASEBOOK_LANG")),
    **dict.fromkeys(("XDG_CONFIG_HOME", "LEASEBOOK_CLIENT_PROFILE", "LEASEBOOK_STORE")),
}


def found(home: Path, *arguments: str | Path, **variables: str) -> dict[str, dict[str, str]]:
    """Run it with a home of its own, and return its findings by the names of their faults."""
    environment: dict[str, str | None] = {**VARIABLES, "HOME": str(home), **variables}
    line = ["doctor", *map(str, arguments), "--output", "json"]
    done = CliRunner().invoke(cli, line, env=environment)
    findings = json.loads(done.stdout)["findings"]
    assert done.exit_code == bool(findings), done.output
    for one in findings:
        assert all(one[name] for name in ("so", "allowed", "remedy")), one
        assert not re.search(r"\{\w*\}", "".join(one.values())), one
    return {one["fault"]: one for one in findings}


def said(home: Path, command: str, *arguments: str | Path, **variables: str) -> str:
    """Return what a command says to a person who reads Chinese."""
    environment: dict[str, str | None] = {**VARIABLES, "HOME": str(home), **variables, "LEASEBOOK_LANG": "zh"}
    return CliRunner().invoke(cli, [command, *map(str, arguments)], env=environment).output


class Passed:
    """How a proxy changes what it passes on."""

    def __init__(self) -> None:
        self.host: str | None = None
        self.prefix = ""
        self.answer: Callable[[bytes], bytes] = lambda body: body
        self.headers: dict[str, str] = {}


@contextmanager
def proxy(to: str, passed: Passed) -> Iterator[str]:
    """Run a proxy, and give its address."""
    at = urlsplit(to)

    class RewritingHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass()

        def do_POST(self) -> None:
            self._pass()

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers: Mapping[str, str] = {
                **dict(self.headers.items()),
                **({} if passed.host is None else {"Host": passed.host}),
            }
            connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
            connection.putrequest(self.command, passed.prefix + self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = passed.answer(answer.read())
            connection.close()
            self.send_response_only(answer.status)
            for name, value in {"Date": answer.headers["date"], **passed.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(RewritingHandler) as address:
        yield address


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve, and give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
