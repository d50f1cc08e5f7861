"""The faults of a caller's set-up, each made on a real server, or on the way to it."""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import pytest

from leasebook import __version__
from leasebook.cli.doctor import caller
from leasebook.client import Client
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, running
from tests.doctor.asking import Passed, found, proxy, serving
from tests.ports import free_port


class ServedHere(NamedTuple):
    """A server that runs, and a client of its root."""

    url: str
    root: Client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHere]:
    with (
        running("sqlite", Path(tmp_path_factory.mktemp("doctor"))) as server,
        Client(server.base_url, ACCESS_KEY, SECRET_KEY) as root,
    ):
        yield ServedHere(server.base_url, root)


def asked(home: Path, url: str, key: str = ACCESS_KEY, secret: str = SECRET_KEY, **more: str) -> dict[str, Any]:
    return found(home, "--url", url, "--access-key", key, "--secret-key", secret, **more)


def test_a_good_set_up_has_no_findings(place: ServedHere, tmp_path: Path) -> None:
    assert asked(tmp_path, place.url) == {}


def test_keys_of_a_profile_are_used_and_one_that_others_read_is_named(place: ServedHere, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "leasebook"
    folder.mkdir(parents=True)
    file = folder / "config.toml"
    file.write_text(f'[default]\nurl = "{place.url}"\naccess_key = "{ACCESS_KEY}"\nsecret_key = "{SECRET_KEY}"\n')
    file.chmod(0o600)
    assert found(tmp_path) == {}
    file.chmod(0o640)
    finding = found(tmp_path)["ProfileOpen"]
    assert "mode 0640" in finding["so"]
    assert f"chmod 600 {file}" in finding["remedy"]


def test_missing_keys_are_named_and_the_server_is_looked_at_all_the_same(place: ServedHere, tmp_path: Path) -> None:
    assert list(found(tmp_path, "--url", place.url)) == ["BadConfiguration"]
    assert list(found(tmp_path, "--url", f"http://127.0.0.1:{free_port()}")) == ["BadConfiguration", "NotReachable"]


def test_an_address_at_which_nothing_listens_is_not_reachable(tmp_path: Path) -> None:
    finding = asked(tmp_path, f"http://127.0.0.1:{free_port()}")["NotReachable"]
    assert "refused" in finding["so"]
    assert "proxy" not in finding["remedy"]


def test_a_proxy_of_the_environment_is_named(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    finding = asked(tmp_path, "http://units.example.com", HTTP_PROXY=away, http_proxy=away)["NotReachable"]
    assert "HTTP_PROXY" in finding["remedy"]


class OtherProgramHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_another_program_at_the_address_is_not_leasebook(tmp_path: Path) -> None:
    with serving(OtherProgramHandler) as url:
        assert list(asked(tmp_path, url)) == ["NotLeasebook"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    line = ("openssl", "req", "-x509", *kind, *name, "-keyout", file, "-out", f"{file}.crt")
    subprocess.run(line, check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_tls_that_this_machine_does_not_trust_fails(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingServer(context) as port:
        finding = asked(tmp_path, f"https://127.0.0.1:{port}")["TlsFails"]
    assert "SSL_CERT_FILE" in finding["remedy"]


def test_tls_at_a_port_without_it_fails(place: ServedHere, tmp_path: Path) -> None:
    assert list(asked(tmp_path, place.url.replace("http://", "https://"))) == ["TlsFails"]


class ThreadingServer:
    """Accepts TLS connections, and says nothing."""

    def __init__(self, context: ssl.SSLContext) -> None:
        import socket

        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context

    def __enter__(self) -> int:
        threading.Thread(target=self._accept, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
            with connection, self._context.wrap_socket(connection, server_side=True):
                pass
        except (OSError, ssl.SSLError):
            return


@pytest.mark.parametrize(("ahead_s", "word"), [(-400, "ahead"), (400, "behind")])
def test_a_clock_that_is_wrong_here_shows_by_the_date_of_the_answer(
    place: ServedHere, tmp_path: Path, ahead_s: int, word: str
) -> None:
    passed = Passed()
    passed.headers["Date"] = formatdate(time() + ahead_s, usegmt=True)
    with proxy(place.url, passed) as url:
        finding = asked(tmp_path, url)["ClockSkew"]
    assert f"seconds {word}" in finding["so"]
    (seconds,) = re.findall(r"\d+", finding["so"])
    # The machine may be slow, and its clock goes on.
    assert abs(int(seconds) - 400) < 50


def test_a_signature_of_another_time_is_a_clock_that_is_wrong_even_without_a_date(
    place: ServedHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Past:
            return cls(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr("leasebook.client.caller.datetime", Past)
    finding = asked(tmp_path, place.url)["ClockSkew"]
    assert "server's time is" in finding["so"]


def test_a_host_that_a_proxy_rewrites_is_distinguished_from_a_wrong_secret(place: ServedHere, tmp_path: Path) -> None:
    passed = Passed()
    with proxy(place.url, passed) as url:
        assert asked(tmp_path, url) == {}
        passed.host = "backend.internal:9000"
        finding = asked(tmp_path, url)
        assert list(finding) == ["HostRewritten"]
        assert "backend.internal:9000" in finding["HostRewritten"]["so"]
        assert url.removeprefix("http://") in finding["HostRewritten"]["so"]
        # nginx's $host has no port.
        passed.host = "127.0.0.1"
        assert list(asked(tmp_path, url)) == ["HostRewritten"]


def test_a_path_that_a_proxy_rewrites_is_named(place: ServedHere, tmp_path: Path) -> None:
    with proxy(place.url, Passed()) as url, serving(_stripping(url)) as outer:
        finding = asked(tmp_path, f"{outer}/units")
    assert list(finding) == ["PathRewritten"]
    assert "/units/v2/account" in finding["PathRewritten"]["so"]


def _stripping(to: str) -> type[BaseHTTPRequestHandler]:
    """A proxy that takes a prefix off which the server does not know of."""
    import http.client
    from urllib.parse import urlsplit

    at = urlsplit(to)

    class StrippingHandler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
            connection.request(self.command, self.path.removeprefix("/units"), body, dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self.send_response(answer.status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = _pass  # noqa: N815 - the library's name
        do_POST = _pass  # noqa: N815 - the library's name

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return StrippingHandler


def test_a_wrong_secret_is_distinguished_from_an_unknown_key(place: ServedHere, tmp_path: Path) -> None:
    assert list(asked(tmp_path, place.url, secret="another-secret")) == ["WrongSecret"]
    assert list(asked(tmp_path, place.url, key="AKOFANOTHERSERVER")) == ["KeyUnknown"]


def test_a_user_without_policies_is_named(place: ServedHere, tmp_path: Path) -> None:
    user = place.root.create_user(name="bare")
    key = place.root.create_access_key(user_id=user.user_id)
    keys = {"key": str(key.access_key_id), "secret": str(key.secret_access_key)}
    assert list(asked(tmp_path, place.url, **keys)) == ["NoPolicies"]
    place.root.disable_access_key(access_key_id=key.access_key_id)
    assert list(asked(tmp_path, place.url, **keys)) == ["KeyUnknown"]


def test_a_suspended_account_and_arrears_are_named(place: ServedHere, tmp_path: Path) -> None:
    account = place.root.create_account(name="broke")
    keys = {"key": str(account.access_key_id), "secret": str(account.secret_access_key)}
    assert asked(tmp_path, place.url, **keys) == {}
    place.root.suspend_account(account_id=account.account_id, reason="no contract")
    finding = asked(tmp_path, place.url, **keys)["AccountNotActive"]
    assert "Suspended" in finding["so"]
    assert "no contract" in finding["so"]


def test_an_older_server_is_named(place: ServedHere, tmp_path: Path) -> None:
    passed = Passed()
    passed.answer = lambda body: body.replace(f'"version": "{__version__}"'.encode(), b'"version": "0.0.9"', 1)
    with proxy(place.url, passed) as url:
        finding = asked(tmp_path, url)["OldServer"]
    assert "0.0.9" in finding["so"]


def test_what_a_server_says_to_monitors_is_repeated(tmp_path: Path, place: ServedHere) -> None:
    class MonitoredHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = {
                "/readyz": (503, b'{"status": "not ready", "reasons": ["The store cannot be written."]}'),
                "/metrics": (200, b"# HELP\nleasebook_audit_lost_total 3.0\n"),
            }.get(self.path, (200, document))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    document = b'{"info": {"title": "Leasebook", "version": "9.0"}}'
    with serving(MonitoredHandler) as url:
        findings = found(tmp_path, "--url", url)
    assert "The store cannot be written." in findings["NotReady"]["so"]
    assert findings["AuditEntriesLost"]["so"].startswith("3 entries")
    assert place.url


def test_another_refusal_is_repeated(place: ServedHere) -> None:
    finding = caller._refusal(place.url, "AK", 429, "TooManyRequests", "The key is too quick.")
    assert finding.fault == "CallRefused"
    assert "TooManyRequests" in finding.so
