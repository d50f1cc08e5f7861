"""TLS by itself, the second port, and the warning where others may listen: on real servers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leasebook.server.transport.admin import memory
from leasebook.server.transport.tls import BadTls, Tls, load
from tests.crash.fleet import Process, environment, eventually
from tests.crash.lone import leasebook, lone_server
from tests.ports import free_port

CANNOT_START = 2


def make_pair(
    folder: Path, name: str, *, days: tuple[int, int] = (-1, 30), password: bytes | None = None
) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    how: Any = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))
    secret.chmod(0o600)
    return certificate, secret


def spoken_to(port: int, certificate: Path, *, newest: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(certificate))
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost")


def status_on(connection: socket.socket, path: str = "/healthz") -> int:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Secured(Process):
    """A server that speaks TLS."""

    certificate: Path

    def is_ready(self) -> bool:
        assert self.port is not None
        assert self.process.poll() is None, self.log()[-3000:]
        try:
            with spoken_to(self.port, self.certificate) as connection:
                return status_on(connection, "/readyz") == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = make_pair(folder, "one")
    config = folder / "settings.toml"
    config.write_text('http.head_seconds = 1\ntls.cert_file = "one.pem"\ntls.key_file = "one.key"\n')
    server = Secured("server", folder, ("serve", "--config", str(config)), free_port())
    server.certificate = certificate
    assert key.exists()
    try:
        server.start()
        server.wait()
        yield server
        assert "Traceback" not in server.log()
    finally:
        server.remove()


@pytest.mark.crash
def test_a_server_speaks_tls_and_nothing_else(secured: Secured) -> None:
    assert secured.port is not None
    with spoken_to(secured.port, secured.certificate) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        received = b""
        while received.count(b"HTTP/1.1 200") < 50:
            received += connection.recv(65536)
    with socket.create_connection(("127.0.0.1", secured.port), 10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        spoken_to(secured.port, secured.certificate, newest=ssl.TLSVersion.TLSv1_1)
    assert "https://127.0.0.1" in secured.log()


@pytest.mark.crash
def test_a_handshake_that_does_not_come_is_not_waited_for(secured: Secured) -> None:
    assert secured.port is not None
    with socket.create_connection(("127.0.0.1", secured.port), 10) as silent:
        began = time.monotonic()
        silent.sendall(bytes.fromhex("160301"))
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(100) == b""
        assert time.monotonic() - began < 6


@pytest.mark.crash
def test_a_new_certificate_is_taken_on_a_signal_and_connections_stay(secured: Secured) -> None:
    assert secured.port is not None
    folder = secured.certificate.parent
    with spoken_to(secured.port, secured.certificate) as before:
        assert status_on(before) == 200
        (folder / "one.pem").write_text("nothing")
        secured.process.send_signal(signal.SIGHUP)
        eventually("the log names the bad one", lambda: "the new certificate is not used" in secured.log())
        assert status_on(before) == 200
        certificate, key = make_pair(folder, "two")
        (folder / "one.key").write_bytes(key.read_bytes())
        (folder / "one.pem").write_bytes(certificate.read_bytes())
        secured.process.send_signal(signal.SIGHUP)
        eventually("the log names the new one", lambda: "read again" in secured.log())
        assert status_on(before) == 200
        with spoken_to(secured.port, certificate) as after:
            assert status_on(after) == 200
            shown = after.getpeercert()
            assert shown is not None
            assert "two" in str(shown["subject"])


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "good")
    load(certificate, key)
    _, other = make_pair(tmp_path, "other")

    def said(certificate: Path, key: Path) -> str:
        with pytest.raises(BadTls) as caught:
            load(certificate, key)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert f"{other}: this is not the key of the certificate {certificate}" in said(certificate, other)
    assert "expired at 20" in said(*make_pair(tmp_path, "old", days=(-30, -1)))
    assert "is valid from 20" in said(*make_pair(tmp_path, "early", days=(1, 30)))
    assert "no key without a password" in said(*make_pair(tmp_path, "locked", password=b"word"))
    assert "no certificate in PEM" in said(key, key)
    assert "No such file" in said(tmp_path / "none", key)
    assert "No such file" in said(certificate, tmp_path / "none")
    assert "regular file" in said(certificate, tmp_path)
    for mode in (0o644, 0o604, 0o660, 0o610):
        key.chmod(mode)
        assert f"mode {mode:04o}" in said(certificate, key)
        assert f"run: chmod 600 {key}" in said(certificate, key)
    key.chmod(0o640)
    load(certificate, key)


def test_what_was_good_stays_in_use(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path, "good")
    tls = Tls(certificate, key)
    before = tls.context
    key.chmod(0o644)
    assert not tls.reload()
    assert tls.context is before
    key.chmod(0o600)
    assert tls.reload()
    assert tls.context is not before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--tls-cert", "{cert}"), "tls.key_file is not set, nor its option"),
        (("--tls-key", "{key}"), "tls.cert_file is not set, nor its option"),
        (("--tls-cert", "{cert}", "--tls-key", "{cert}"), "chmod 600"),
        (("--admin-port", "1", "--admin-host", "not a host"), "--admin-host: found"),
        (("--admin-port", "{port}"), "Is another server running? Choose --admin-port."),
        (("--admin-port", "0", "--admin-host", "192.0.2.1"), "choose one that is with --admin-host."),
        (("--host", "192.0.2.1"), "That is no address of this machine: choose one that is with --host."),
        (("--host", "nowhere.invalid"), "choose an address or a name of this machine with --host."),
        (("--host", "a..b"), "Choose --host."),
        (("--store", "postgresql://db:99999/books"), "--store: found an address (not shown) of which this is wrong"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    certificate, key = make_pair(tmp_path, "good")
    certificate.chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        named = {"cert": str(certificate), "key": str(key), "port": str(taken.getsockname()[1])}
        given = [argument.format(**named) for argument in arguments]
        done = leasebook("serve", "--data", str(tmp_path / "data"), "--port", str(free_port()), *given)
    assert done.returncode == CANNOT_START
    (line,) = done.stderr.splitlines()
    assert says in line
    assert not (tmp_path / "data").exists()


@pytest.mark.crash
def test_operators_have_a_port_of_their_own_and_strangers_see_less(tmp_path: Path) -> None:
    admin = free_port()
    with lone_server(tmp_path, "--host", "0.0.0.0", "--admin-port", str(admin)) as server:  # noqa: S104
        assert server.port is not None
        assert get(server.port, "/healthz")[0] == 200
        assert json.loads(get(server.port, "/readyz")[1]) == {"status": "ready"}
        assert get(server.port, "/metrics")[0] == 404
        for path in ("/debug/tasks", "/debug/memory"):
            assert get(server.port, path)[0] == 404
        assert get(admin, "/healthz")[0] == 200
        assert 'leasebook_connections_open{listener="callers"}' in get(admin, "/metrics")[1]
        tasks = get(admin, "/debug/tasks")[1]
        assert "Dispatcher._run" in tasks
        assert "notifications/dispatcher.py:" in tasks
        assert "PYTHONTRACEMALLOC" in get(admin, "/debug/memory")[1]
        assert get(admin, "/v2/computeunit")[0] == 404
        log = server.log()
        assert "others may reach this port" in log
        assert "WARNING: others may reach this address" in log
        assert f"monitors    http://127.0.0.1:{admin}" in log
        for value in environment().values():
            if len(value) > 15 and value not in os.environ.values():
                assert value not in tasks
        server.stop()


def test_where_memory_was_taken_is_shown_if_it_is_written_down() -> None:
    import tracemalloc

    assert "PYTHONTRACEMALLOC" in memory()
    tracemalloc.start()
    try:
        kept = [bytes(1000) for _ in range(1000)]
        assert "test_doors.py" in memory()
        del kept
    finally:
        tracemalloc.stop()
