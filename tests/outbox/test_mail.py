"""E-mail: what a real mail server in the test is handed, and what its refusals do."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leasebook.addressing.mail import ADDRESS, Server, server_of
from leasebook.config.load import BadSettings, load_settings
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import SUBSCRIPTIONS
from leasebook.domain.model.subscription import Subscription, delivery_of
from leasebook.domain.record.event import BOUGHT, Event
from leasebook.domain.values.calendar import Instant
from leasebook.notifications.mail import MailSender, message_of
from leasebook.notifications.ports import Parcel
from tests.harness import Client, a_service, play
from tests.outbox.mail_servers import Box, mail_server
from tests.outbox.receivers import PATH, buy, deliveries, settled, until
from tests.outbox.scenes import later, tried
from tests.outbox.test_address import certificate
from tests.raw_connections import ended

TO = "ops@example.org"


@pytest.fixture
def mail() -> Iterator[tuple[Box, int]]:
    """A mail server that takes everything, unless the test says otherwise."""
    box = Box()
    with mail_server(box, auth_require_tls=False, auth_required=False) as port:
        yield box, port


def played(folder: Path, port: int, scene: Callable[[Client], Awaitable[None]], user: str = "") -> None:
    environment = {
        "LEASEBOOK_SMTP_URL": f"smtp://{user}127.0.0.1:{port}",
        "LEASEBOOK_MAIL_FROM": "leasebook@example.org",
        "LEASEBOOK_PUBLIC_URL": "https://leasebook.example",
    }

    async def whole() -> None:
        async with a_service(folder, demo=True, environment=environment) as desk:
            await scene(desk)

    play(whole)


async def asked_for(desk: Client, **more: Any) -> Any:
    """Subscribe an address, which is asked for its confirmation then."""
    body = {"kind": "Email", "address": TO, "types": ["unit.bought"], **more}
    return (await desk.call(PATH, "CreateSubscription", body)).result


async def subscribe(desk: Client) -> str:
    """Have an address be subscribed, as one from before addresses were confirmed; returns the subscription."""
    account = (await desk.call("/v2/account", "DescribeAccount")).result["accountId"]
    last = await desk.service.store.read(lambda ask: ask.last_event(account))
    now = desk.service.clock.now()
    page = 0 if last is None else last.page
    hook = Subscription(
        "sub-before", account, "Email", TO, b"", ("unit.bought",), None, "Active", "user-1", now, now, page
    )
    transaction = await desk.service.store.begin()
    changes = Changes([], [])
    changes.inserted[SUBSCRIPTIONS] = [hook]
    await transaction.save(changes)
    await transaction.commit()
    assert await status_of(desk) == ["Active"]
    return hook.id


def link_in(box: Box, index: int = -1) -> str:
    """Return the path of the link in a mail."""
    text = box.message(index).get_content()
    found = re.search(r"https://leasebook\.example(/links/confirm\.\S+)", text)
    assert found is not None, text
    return found[1]


async def open_link(desk: Client, link: str, *, press: bool = False) -> tuple[int, str]:
    answer = await desk.send(link, "", b"attempt=ab" if press else b"", method="POST" if press else "GET", headers=[])
    return answer.status, answer.body


async def status_of(desk: Client) -> list[str]:
    listed = (await desk.call(PATH, "DescribeSubscriptions")).result["subscriptions"]
    return [row["status"] for row in listed]


def test_nothing_but_the_question_is_sent_before_an_address_is_confirmed(tmp_path: Path, mail: tuple[Box, int]) -> None:
    box, port = mail

    async def scene(desk: Client) -> None:
        made = await asked_for(desk, types=[])
        hook = {"subscriptionId": made["subscriptionId"]}
        assert made["status"] == "Pending"
        assert "secret" not in made
        assert made["confirmEndTime"] > made["createTime"]
        await buy(desk)
        await settled(desk, 1)
        events = (await desk.call("/v2/events", "DescribeEvents", {})).result["events"]
        for event in events:
            answer = await desk.call(PATH, "RedeliverEvent", {**hook, "eventId": event["id"]})
            assert answer.code == "InvalidState"
        assert (await desk.call(PATH, "RedeliverGivenUp", hook)).code == "InvalidState"
        for wanted in ("Active", "Paused"):
            assert (await desk.call(PATH, "ModifySubscription", {**hook, "status": wanted})).code == "InvalidState"
        # The link is in the mail, and nowhere else.
        link = link_in(box)
        assert link.rpartition(".")[2] not in str(events)
        assert link.rpartition(".")[2] not in str(await deliveries(desk))
        status, page = await open_link(desk, link)
        assert (status, "Yes, send them" in page, TO in page) == (200, True, True)
        assert await status_of(desk) == ["Pending"]
        assert (await open_link(desk, link[:-1] + ("A" if link[-1] != "A" else "B"), press=True))[0] == 404
        assert (await open_link(desk, link, press=True))[0] == 200
        assert await status_of(desk) == ["Active"]
        assert (await open_link(desk, link, press=True))[0] == (await open_link(desk, link))[0] == 410
        unit = await buy(desk)

        async def is_sent() -> bool:
            await asyncio.sleep(0)
            return any(unit in box.message(at)["Subject"] for at in range(len(box.envelopes)))

        await until("it is sent now", is_sent)
        subjects = [box.message(at)["Subject"] for at in range(len(box.envelopes))]
        assert subjects[0] == "[Leasebook] Confirm this address"
        assert subjects.count(subjects[0]) == 1
        assert all(unit in one or "subscription.confirmed" in one for one in subjects[1:])
        (entry, *_) = (await desk.call("/v2/account", "DescribeAuditLog", {"action": "UseLink"})).result["entries"]
        assert (entry["code"], entry["body"], entry.get("userId")) == ("OK", "confirm", None)

    played(tmp_path, port, scene)


def test_a_question_is_sent_anew_a_few_times_a_day_and_only_the_newest_link_holds(
    tmp_path: Path, mail: tuple[Box, int]
) -> None:
    box, port = mail

    async def scene(desk: Client) -> None:
        hook = {"subscriptionId": (await asked_for(desk))["subscriptionId"]}
        await settled(desk, 1)
        old = link_in(box)
        await later(desk, minutes=1)
        assert (await desk.call(PATH, "TestSubscription", hook)).result is True
        await settled(desk, 2)
        assert (await open_link(desk, old, press=True))[0] == 410
        await later(desk, days=2, minutes=1)
        assert "This link has ended" in (await open_link(desk, link_in(box), press=True))[1]
        for count in (3, 4, 5):
            assert (await desk.call(PATH, "TestSubscription", hook)).result is True
            await settled(desk, count)
        refused = await desk.call(PATH, "TestSubscription", hook)
        assert refused.code == "QuotaExceeded"
        assert re.search(r"at most 3 times a day. Try again at 20..-..-..T..:..:..\+08:00\.", refused.body["message"])
        # Neither deleting it and making another, nor another spelling, begins a new day.
        assert (await desk.call(PATH, "DeleteSubscription", hook)).result is True
        for address in (TO, TO.upper()):
            again = await desk.call(PATH, "CreateSubscription", {"kind": "Email", "address": address})
            assert again.code == "QuotaExceeded"
        assert (await open_link(desk, link_in(box)))[0] == 410
        await later(desk, hours=9)
        assert (await asked_for(desk))["status"] == "Pending"

    played(tmp_path, port, scene)


async def test_without_an_address_for_links_there_are_no_mail_subscriptions(
    tmp_path: Path, mail: tuple[Box, int]
) -> None:
    environment = {"LEASEBOOK_SMTP_URL": f"smtp://127.0.0.1:{mail[1]}"}
    async with a_service(tmp_path, environment=environment) as desk:
        answer = await desk.call(PATH, "CreateSubscription", {"kind": "Email", "address": TO})
        assert (answer.code, "public_url" in answer.body["message"]) == ("OperationNotSupported", True)


def test_an_event_arrives_as_a_plain_message_that_no_machine_answers(tmp_path: Path, mail: tuple[Box, int]) -> None:
    box, port = mail

    async def scene(desk: Client) -> None:
        await subscribe(desk)
        unit = await buy(desk)
        (row,) = await settled(desk, 1)
        assert row["answer"] == 250
        (envelope,) = box.envelopes
        assert (envelope.mail_from, envelope.rcpt_tos) == ("leasebook@example.org", [TO])
        message = box.message()
        assert message["Subject"] == f"[Leasebook] unit.bought {unit}"
        assert (message["From"], message["To"]) == ("leasebook@example.org", TO)
        assert message["Message-ID"] == f"<{row['deliveryId']}@example.org>"
        assert message["Auto-Submitted"] == "auto-generated"
        text = message.get_content()
        assert text.startswith("An instance was bought.")
        assert f"Instance: {unit}" in text
        assert f'"subject": "{unit}"' in text

    played(tmp_path, port, scene)


def test_a_refusal_for_now_is_tried_again_as_the_same_message(tmp_path: Path, mail: tuple[Box, int]) -> None:
    box, port = mail
    box.answers = ["451 Try later"]

    async def scene(desk: Client) -> None:
        await subscribe(desk)
        await buy(desk)
        await tried(desk, 1)
        (row,) = await deliveries(desk)
        assert (row["answer"], row["failure"]) == (451, "The mail server answered 451: Try later")
        await later(desk, hours=1)
        (row,) = await settled(desk, 1)
        assert box.message()["Message-ID"] == f"<{row['deliveryId']}@example.org>"

    played(tmp_path, port, scene)


def test_a_refusal_for_good_is_given_up_at_once(tmp_path: Path, mail: tuple[Box, int]) -> None:
    box, port = mail
    box.answers = ["550 Nobody of that name"]

    async def scene(desk: Client) -> None:
        await subscribe(desk)
        await buy(desk)
        (row,) = await settled(desk, 1, "GivenUp")
        assert (row["attempts"], row["answer"]) == (1, 550)
        assert box.envelopes == []

    played(tmp_path, port, scene)


@pytest.mark.parametrize(("password", "state"), [("pass%3Aword", "Delivered"), ("wrong", "Waiting")])
def test_a_password_is_sent_as_it_is_and_a_wrong_one_is_no_fault_of_the_receiver(
    tmp_path: Path, mail: tuple[Box, int], password: str, state: str
) -> None:
    box, port = mail

    async def scene(desk: Client) -> None:
        await subscribe(desk)
        await buy(desk)
        await until("a client logs in", lambda: box.logins)
        if state == "Waiting":
            await tried(desk, 1)
            assert (await deliveries(desk))[0]["failure"] == "The mail server refuses this service's user or password."
        else:
            await settled(desk, 1)

    played(tmp_path, port, scene, f"lease%40hold:{password}@")
    assert box.logins[0][0] == b"lease@hold"


def test_a_mail_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async def scene(desk: Client) -> None:
        await subscribe(desk)
        await buy(desk)
        await tried(desk, 1)
        assert (await deliveries(desk))[0]["failure"].startswith("The mail server cannot be used")

    # No server listens there.
    played(tmp_path, 1, scene)


async def test_a_server_without_a_mail_server_makes_no_mail_subscriptions(tmp_path: Path) -> None:
    async with a_service(tmp_path) as desk:
        body = {"kind": "Email", "address": TO}
        assert (await desk.call(PATH, "CreateSubscription", body)).code == "OperationNotSupported"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ops",
        "@example.org",
        "ops@",
        "ops@example.org, other@example.org",
        "Ops <ops@example.org>",
        "ops@example.org\r\nBcc: other@example.org",
        "ops@example.org\nBcc: other@example.org",
        "ops@example.org\0",
        '"a b"@example.org',
        "ops@[127.0.0.1]",
        "ops@@example.org",
        ".ops@example.org",
        "ops@-example.org",
        "öps@example.org",
        "a@" + "b" * 260,
    ],
)
def test_what_is_more_or_less_than_one_address_is_refused(tmp_path: Path, mail: tuple[Box, int], address: str) -> None:
    assert not ADDRESS.fullmatch(address)

    async def scene(desk: Client) -> None:
        answer = await desk.call(PATH, "CreateSubscription", {"kind": "Email", "address": address})
        assert answer.code == "InappropriateJSON"

    played(tmp_path, mail[1], scene)


def confirming(hook_id: str, until: Instant) -> str:
    return f"https://leasebook.example/links/confirm.{hook_id}.{until}"


def parcel(unit_id: str, reason: str) -> Parcel:
    hook = Subscription("sub-1", "acc-1", "Email", TO, b"", (), None, "Active", "u", Instant(1), Instant(1), 0)
    event = Event(Instant(1), BOUGHT, unit_id, None, {"reason": reason})
    return Parcel(
        hook, delivery_of(hook, 1, 0, event, Instant(1)), event, b'{"reason": "%b"}' % reason.encode(), Instant(1)
    )


def test_nothing_in_an_event_becomes_a_header() -> None:
    message = message_of(parcel("unit-1", "x\\r\\nBcc: other@example.org\\r\\n\\r\\n.\\r\\n"), "a@b.c", str, confirming)
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert set(read.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    with pytest.raises(ValueError, match="Header values"):
        message_of(parcel("unit-1\r\nBcc: other@example.org", ""), "a@b.c", str, confirming)


def test_a_mail_calls_an_instance_by_its_name_and_its_id() -> None:
    named = msgspec.structs.replace(parcel("unit-1", "x"), unit_name="训练 “one”")
    read = email.message_from_bytes(message_of(named, "a@b.c", str, confirming).as_bytes(), policy=email.policy.default)
    called = "“训练 “one”” (unit-1)"
    assert read["Subject"] == f"[Leasebook] unit.bought {called}"
    assert isinstance(read, EmailMessage)
    assert f"Instance: {called}" in read.get_content().splitlines()


async def test_a_message_that_cannot_be_written_is_not_taken_for_sent() -> None:
    sender = MailSender(Server("127.0.0.1", 1, None, None, tls=False, start_tls=False), "a@b.c", str, confirming)
    with pytest.raises(ValueError, match="Header values"):
        await sender.send(parcel("unit-1\r\nBcc: other@example.org", ""))


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", Server("mail.example.org", 25, None, None, tls=False, start_tls=False)),
        ("smtp://mail.example.org:26/", Server("mail.example.org", 26, None, None, tls=False, start_tls=False)),
        ("smtp://u:p%40@m.example?starttls", Server("m.example", 587, "u", "p@", tls=False, start_tls=True)),
        ("smtps://u:p@m.example", Server("m.example", 465, "u", "p", tls=True, start_tls=False)),
    ],
)
def test_a_mail_server_is_read_from_its_url(url: str, server: Server) -> None:
    assert server_of(url) == server


@pytest.mark.parametrize(
    "url", ["http://m", "smtp://m/path", "smtp://m?tls", "smtps://m?starttls", "smtp://u@m", "smtp://m:x"]
)
def test_a_url_that_is_of_no_mail_server_stops_the_start_without_being_shown(url: str) -> None:
    with pytest.raises(BadSettings, match="LEASEBOOK_SMTP_URL: found a value of another form") as caught:
        load_settings(None, {"LEASEBOOK_SMTP_URL": url})
    assert url not in str(caught.value)


@pytest.mark.parametrize("host", ["mail.example.org", "10.0.0.1", "[2a00::1]", "localhost.example.org"])
def test_a_password_that_would_cross_the_network_in_the_clear_stops_the_start(host: str) -> None:
    with pytest.raises(BadSettings, match=r"in the clear; write smtp://USER:PASSWORD@\S+:PORT\?starttls") as caught:
        load_settings(None, {"LEASEBOOK_SMTP_URL": f"smtp://me:hunter2@{host}"})
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    for url in (f"smtp://me:hunter2@{host}?starttls", f"smtps://me:hunter2@{host}", f"smtp://{host}"):
        load_settings(None, {"LEASEBOOK_SMTP_URL": url})


@pytest.mark.parametrize(("user", "warned"), [("me:hunter2@", True), ("", False)])
async def test_on_this_machine_it_is_only_warned_of(
    tmp_path: Path,
    user: str,
    warned: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        async with a_service(tmp_path, environment={"LEASEBOOK_SMTP_URL": f"smtp://{user}{host}:1"}):
            said = capsys.readouterr().out
            assert ("sent in the clear" in said) is warned
            assert "no mail address can be subscribed" in said
            assert "hunter2" not in said


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("name", ["mail.example", "other.example"])
async def test_starttls_believes_no_other_certificate_and_sends_no_password_before_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    trusted: bool,  # noqa: FBT001
) -> None:
    cert, key = certificate(tmp_path, "mail.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    box = Box()
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".example") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with mail_server(box, tls_context=context, require_starttls=True) as port:
        sender = MailSender(
            Server(name, port, "lease@hold", "pass:word", tls=False, start_tls=True),
            "a@b.c",
            str,
            confirming,
            tls=ssl.create_default_context(cafile=str(cert)) if trusted else None,
        )
        outcome = await sender.send(parcel("unit-1", ""))
        await ended([])
        transports: Any = asyncio.get_running_loop()._transports  # type: ignore[attr-defined]
        assert [one for one in transports.values() if one._sock is not None] == []
    assert outcome.kind == ("Delivered" if trusted and name == "mail.example" else "Retry")
    assert len(box.logins) == len(box.envelopes) == int(trusted and name == "mail.example")
