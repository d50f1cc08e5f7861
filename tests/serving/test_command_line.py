"""The messages of the command line about answers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from leasebook.cli.caller import send


class SilentHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        if self.path == "/typo":
            self.send_header("x-leasebook-ignored", "billing.autorenew")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_keys_that_were_passed_over_are_named_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), SilentHandler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert send(f"{url}/right", "{}", {}) == (200, "{}")
        assert capsys.readouterr().err == ""
        assert send(f"{url}/typo", "{}", {}) == (200, "{}")
        assert capsys.readouterr().err == "Not known there, and passed over: billing.autorenew\n"
        server.shutdown()
