"""Where webhooks may go: no address that is not public, whatever its spelling and source, unless allowed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leasebook.addressing.webhook import Address, Allowed, BadAddress, check_address, check_url, networks_of
from leasebook.domain.model.subscription import Outcome, Subscription, delivery_of
from leasebook.domain.record.event import BOUGHT, Event
from leasebook.domain.values.calendar import Instant
from leasebook.notifications.ports import Parcel
from leasebook.notifications.webhook import WebhookSender
from leasebook.notifications.webhook_signature import new_secret
from tests.harness import a_service
from tests.outbox.receivers import PATH, Receiver, a_receiver
from tests.raw_connections import raw_server

NOTHING, LOCAL = Allowed(), Allowed(http=True, networks=networks_of("127.0.0.0/8"))

REFUSED = """
192.0.0.192 100.100.100.200 169.254.169.254
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:8.8.8.8
64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::a83f:8110 64:ff9b:1::1 64:ff9b:1:ffff::8.8.8.8
100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:c0a8:101::1
2a00:1450::5efe:10.0.0.1 2a00:1450::200:5efe:192.168.0.1 2a00:1450::5efe:168.63.129.16 fe80::5efe:8.8.8.8
2002:808:808::5efe:127.0.0.1 fd00:ec2::254
"""
PUBLIC = """
1.1.1.1 8.8.8.8 93.184.216.34 2606:4700:4700::1111 2a00:1450:4001:80b::200e ::ffff:8.8.8.8 64:ff9b::8.8.8.8
2002:808:808::1 2a00:1450::5efe:8.8.8.8 2a00:1450::100:5efe:10.0.0.1
"""
RANGES = """
0.0.0.0 0.255.255.255 - 1.0.0.0
10.0.0.0 10.255.255.255 9.255.255.255 11.0.0.0
100.64.0.0 100.127.255.255 100.63.255.255 100.128.0.0
127.0.0.0 127.255.255.255 126.255.255.255 128.0.0.0
168.63.129.16 168.63.129.16 168.63.129.15 168.63.129.17
169.254.0.0 169.254.255.255 169.253.255.255 169.255.0.0
172.16.0.0 172.31.255.255 172.15.255.255 172.32.0.0
192.0.0.0 192.0.0.255 191.255.255.255 192.0.1.0
192.0.2.0 192.0.2.255 192.0.1.255 192.0.3.0
192.31.196.0 192.31.196.255 192.31.195.255 192.31.197.0
192.52.193.0 192.52.193.255 192.52.192.255 192.52.194.0
192.88.99.0 192.88.99.255 192.88.98.255 192.88.100.0
192.168.0.0 192.168.255.255 192.167.255.255 192.169.0.0
192.175.48.0 192.175.48.255 192.175.47.255 192.175.49.0
198.18.0.0 198.19.255.255 198.17.255.255 198.20.0.0
198.51.100.0 198.51.100.255 198.51.99.255 198.51.101.0
203.0.113.0 203.0.113.255 203.0.112.255 203.0.114.0
224.0.0.0 255.255.255.255 223.255.255.255 -
:: 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff - 2000::
64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff - -
2001:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:200::
2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9::
2002:a00:: 2002:aff:ffff:ffff:ffff:ffff:ffff:ffff 2002:9ff:ffff:ffff:ffff:ffff:ffff:ffff 2002:b00::
2620:4f:8000:: 2620:4f:8000:ffff:ffff:ffff:ffff:ffff 2620:4f:7fff:ffff:ffff:ffff:ffff:ffff 2620:4f:8001::
3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:1000::
4000:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -
5f00:: 5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff - -
fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff - -
fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff - -
fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff - -
ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff - -
64:ff9b::10.0.0.0 64:ff9b::10.255.255.255 64:ff9b::9.255.255.255 64:ff9b::11.0.0.0
::ffff:10.0.0.0 ::ffff:10.255.255.255 ::ffff:9.255.255.255 ::ffff:11.0.0.0
"""
"""Each range's first and last address, and the public ones right before and after it; -: there is none."""


@pytest.mark.parametrize("line", RANGES.strip().splitlines())
def test_a_range_is_refused_from_its_first_address_to_its_last_and_no_neighbour_is(line: str) -> None:
    first, last, *around = line.split()
    for text in (first, last):
        with pytest.raises(BadAddress, match="is not a public address"):
            check_address(ipaddress.ip_address(text), NOTHING)
    for text in around:
        if text != "-":
            check_address(ipaddress.ip_address(text), NOTHING)


def test_the_list_is_ours_and_not_that_of_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        for name in ("is_global", "is_private", "is_reserved", "is_multicast", "is_loopback", "is_link_local"):
            monkeypatch.setattr(kind, name, property(lambda _self: pytest.fail("Python's own list was asked")))
    check_address(ipaddress.ip_address("8.8.8.8"), NOTHING)
    with pytest.raises(BadAddress):
        check_address(ipaddress.ip_address("3fff::1"), NOTHING)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2a00:1450::1%1"])
def test_an_address_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(BadAddress, match="network card"):
        check_address(ipaddress.ip_address(text), NOTHING)
    with pytest.raises(BadAddress):
        check_url(f"https://[{text}]/", Allowed(networks=networks_of("::/0")))


@pytest.mark.parametrize("text", REFUSED.split())
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    address = ipaddress.ip_address(text)
    with pytest.raises(BadAddress, match="is not a public address"):
        check_address(address, NOTHING)
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(BadAddress, match="is not a public address"):
        check_url(f"https://{host}/x", NOTHING)
    # That network is allowed, and nothing beside it.
    check_address(address, Allowed(networks=(ipaddress.ip_network(text),)))
    with pytest.raises(BadAddress):
        check_address(address, Allowed(networks=networks_of("12.34.56.0/24, 2a00::/64")))


@pytest.mark.parametrize("text", PUBLIC.split())
def test_a_public_address_is_not(text: str) -> None:
    check_address(ipaddress.ip_address(text), NOTHING)


def test_an_allowed_network_is_meant_whatever_an_address_in_it_is_written_as() -> None:
    for text in ("127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"):
        check_address(ipaddress.ip_address(text), LOCAL)
    with pytest.raises(BadAddress):
        check_address(ipaddress.ip_address("::1"), LOCAL)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/", "must begin with https"),
        ("ftp://example.org/", "must begin with https"),
        ("//example.org/", "must begin with https"),
        ("example.org", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("https://user:secret@example.org/", "neither|must not carry"),
        ("https://example.org@127.0.0.1/", "must not carry"),
        ("https://example.org/#part", "fragment"),
        ("https://example.org\\@127.0.0.1/", "carry|backslash"),
        ("https://example.org:0/", "port 0"),
        ("https://example.org:65536/", "no URL"),
        ("https://example.org:x/", "no URL"),
        ("https:///path", "neither a name"),
        ("https://127.1/", "usual spelling"),
        ("https://0x7f000001/", "usual spelling"),
        ("https://0x7f.0.0.1/", "usual spelling"),
        ("https://2130706433/", "usual spelling"),
        ("https://0177.0.0.1/", "usual spelling"),
        ("https://127.0.0.1./", "usual spelling"),
        ("https://[::1", "no URL"),
        ("https://[fe80::1%25eth0]/", "network card|neither"),
        ("https://exa mple.org/", "visible ASCII"),
        ("https://example.org/\r\nx: y", "visible ASCII"),
        ("https://ex\u00e4mple.org/", "visible ASCII"),
        ("https://example.org/" + "x" * 2000, "at most 2000"),
        ("https://-example.org/", "neither a name"),
        ("https://a..b/", "neither a name"),
    ],
)
def test_a_url_that_will_not_do_is_refused_with_the_reason(url: str, words: str) -> None:
    with pytest.raises(BadAddress, match=words):
        check_url(url, NOTHING)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org:8443/a?b=c",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]:8443/",
    ],
)
def test_a_url_with_any_port_and_a_public_host_will_do(url: str) -> None:
    check_url(url, NOTHING)


def parcel(url: str) -> Parcel:
    hook = Subscription("sub-1", "acc-1", "Webhook", url, b"sealed", (), None, "Active", "u", Instant(1), Instant(1), 0)
    event = Event(Instant(1), BOUGHT, "unit-1", None, {})
    return Parcel(hook, delivery_of(hook, 1, 0, event, Instant(1)), event, b"{}", Instant(1))


def sent(url: str, allowed: Allowed, found: list[list[str]], **more: Any) -> tuple[Outcome, list[tuple[str, int]]]:
    """Send with a resolver that answers so, one answer after another; returns what came of it and what was asked."""
    asked: list[tuple[str, int]] = []
    secret = new_secret()

    async def look_up(host: str, port: int) -> list[Address]:
        asked.append((host, port))
        return [ipaddress.ip_address(text) for text in found[len(asked) - 1]]

    async def scene() -> Outcome:
        sender = WebhookSender(allowed, lambda _hook, _sealed: secret, look_up=look_up, timeout_s=5, **more)
        try:
            return await sender.send(parcel(url))
        finally:
            await sender.close()

    return asyncio.run(scene()), asked


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:169.254.169.254"], ["fd00::1"]])
def test_a_name_that_stands_for_an_address_within_is_not_called(addresses: list[str]) -> None:
    outcome, asked = sent("https://rebound.example/", NOTHING, [addresses])
    assert outcome.kind == "Retry"
    assert outcome.failure is not None
    assert outcome.failure == "The host's address is not a public one."
    assert asked == [("rebound.example", 443)]


def test_a_url_that_was_allowed_when_the_webhook_was_made_and_is_not_any_more_is_not_called() -> None:
    outcome, asked = sent("http://127.0.0.1:1/", NOTHING, [])
    assert outcome.failure == "The URL must begin with https://."
    assert asked == []


async def test_the_address_that_was_checked_is_called_and_the_name_is_looked_up_once() -> None:
    async with a_receiver() as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
        asked: list[str] = []

        async def look_up(host: str, _port: int) -> list[Address]:
            # A second answer would be another address, as of an attacker who waits for the check to be over.
            asked.append(host)
            return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

        sender = WebhookSender(LOCAL, lambda _hook, _sealed: new_secret(), look_up=look_up)
        assert await sender.send(parcel(f"http://receiver.example:{port}/hook")) == Outcome("Delivered", 204)
        await sender.close()
        assert asked == ["receiver.example"]
        assert receiver.got[0].headers["host"] == f"receiver.example:{port}"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = datetime.now(UTC)
    made_out = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(made - timedelta(days=1))
        .not_valid_after(made + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert").write_bytes(made_out.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert", folder / "key"


@pytest.mark.parametrize(("name", "kind"), [("receiver.example", "Delivered"), ("other.example", "Retry")])
async def test_tls_asks_for_the_name_and_believes_no_other_certificate(tmp_path: Path, name: str, kind: str) -> None:
    cert, key = certificate(tmp_path, "receiver.example")
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.sni_callback = lambda _socket, server_name, _context: asked.append(server_name)
    receiver = Receiver()

    async def look_up(_host: str, _port: int) -> list[Address]:
        return [ipaddress.ip_address("127.0.0.1")]

    trusting = ssl.create_default_context(cafile=str(cert))
    sender = WebhookSender(LOCAL, lambda _hook, _sealed: new_secret(), look_up=look_up, tls=trusting)
    async with raw_server(receiver.serve, ssl=context) as port:
        outcome = await sender.send(parcel(f"https://{name}:{port}/"))
        await sender.close()
    assert outcome.kind == kind
    assert bool(receiver.got) is (kind == "Delivered")
    assert asked == [name]


async def test_a_name_that_nobody_knows_is_a_failure_with_words() -> None:
    async def look_up(_host: str, _port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    sender = WebhookSender(NOTHING, lambda _hook, _sealed: new_secret(), look_up=look_up)
    outcome = await sender.send(parcel("https://nobody.example/"))
    assert outcome == Outcome("Retry", failure="The name cannot be looked up: Name or service not known.")
    await sender.close()


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Webhook"},
        {"kind": "Webhook", "url": "http://example.org/"},
        {"kind": "Webhook", "url": "https://127.0.0.1/"},
        {"kind": "Webhook", "url": "https://[::ffff:10.0.0.1]/"},
        {"kind": "Webhook", "url": "https://example.org/", "address": "a@b.c"},
        {"kind": "Webhook", "url": "https://example.org/", "types": ["unit.unheard"]},
        {"kind": "Pigeon", "url": "https://example.org/"},
    ],
)
async def test_a_webhook_that_will_not_do_is_not_made(tmp_path: Path, body: Any) -> None:
    async with a_service(tmp_path) as desk:
        assert (await desk.call(PATH, "CreateSubscription", body)).code == "InappropriateJSON"
        assert (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"] == []
