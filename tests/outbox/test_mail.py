"""E-mail: what a real mail server in the test is handed, and what its refusals do."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Awaitable, Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from leasehold.domain.calendar import Instant
from leasehold.domain.event import BOUGHT, Event
from leasehold.domain.outbox import Hook, delivery_of
from leasehold.outbox.mail import MailSender, message_of
from leasehold.outbox.mailbox import ADDRESS, Server, server_of
from leasehold.outbox.sending import Parcel
from leasehold.settings import BadSettings, load_settings
from tests.crash.fleet import free_port
from tests.harness import Desk, a_service, play
from tests.outbox.receivers import PATH, buy, deliveries, settled, until
from tests.outbox.scenes import later, tried

TO = "ops@example.org"


class Box:
    """What the mail server was handed, and what it answers to each receiver."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answers: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(  # noqa: N802 - the library's own interface
        self, _server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (b"lease@hold", b"pass:word"), handled=False)

    def message(self, index: int = 0) -> EmailMessage:
        content = self.envelopes[index].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, policy=email.policy.default)


@pytest.fixture
def mail() -> Iterator[tuple[Box, int]]:
    """A mail server that takes everything, unless it is told otherwise."""
    box = Box()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=box.login,
        auth_require_tls=False,
        auth_required=False,
    )
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


def played(folder: Path, port: int, scene: Callable[[Desk], Awaitable[None]], user: str = "") -> None:
    environment = {
        "LEASEHOLD_SMTP_URL": f"smtp://{user}127.0.0.1:{port}",
        "LEASEHOLD_MAIL_FROM": "leasehold@example.org",
    }

    async def whole() -> None:
        async with a_service(folder, demo=True, environment=environment) as desk:
            await scene(desk)

    play(whole)


async def subscribe(desk: Desk, **more: Any) -> Any:
    body = {"kind": "Email", "address": TO, "types": ["unit.bought"], **more}
    return (await desk.call(PATH, "CreateSubscription", body)).result


def test_an_event_arrives_as_a_plain_message_that_no_machine_answers(tmp_path: Path, mail: tuple[Box, int]) -> None:
    box, port = mail

    async def scene(desk: Desk) -> None:
        hook = await subscribe(desk)
        assert "secret" not in hook
        unit = await buy(desk)
        (row,) = await settled(desk, 1)
        assert row["answer"] == 250
        (envelope,) = box.envelopes
        assert (envelope.mail_from, envelope.rcpt_tos) == ("leasehold@example.org", [TO])
        message = box.message()
        assert message["Subject"] == f"[Leasehold] unit.bought {unit}"
        assert (message["From"], message["To"]) == ("leasehold@example.org", TO)
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

    async def scene(desk: Desk) -> None:
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

    async def scene(desk: Desk) -> None:
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

    async def scene(desk: Desk) -> None:
        await subscribe(desk)
        await buy(desk)
        await until("somebody logs in", lambda: box.logins)
        if state == "Waiting":
            await tried(desk, 1)
            assert (await deliveries(desk))[0]["failure"] == "The mail server does not let this service in."
        else:
            await settled(desk, 1)

    played(tmp_path, port, scene, f"lease%40hold:{password}@")
    assert box.logins[0][0] == b"lease@hold"


def test_a_mail_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await subscribe(desk)
        await buy(desk)
        await tried(desk, 1)
        assert (await deliveries(desk))[0]["failure"].startswith("The mail server cannot be used")

    # Nobody listens there.
    played(tmp_path, 1, scene)


def test_a_server_without_a_mail_server_makes_no_mail_subscriptions(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_service(tmp_path) as desk:
            body = {"kind": "Email", "address": TO}
            assert (await desk.call(PATH, "CreateSubscription", body)).code == "OperationNotSupported"

    play(scene)


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

    async def scene(desk: Desk) -> None:
        answer = await desk.call(PATH, "CreateSubscription", {"kind": "Email", "address": address})
        assert answer.code == "InappropriateJSON"

    played(tmp_path, mail[1], scene)


def parcel(unit_id: str, reason: str) -> Parcel:
    hook = Hook("sub-1", "acc-1", "Email", TO, b"", (), None, "Active", "u", Instant(1), Instant(1), 0)
    event = Event(Instant(1), BOUGHT, unit_id, None, {"reason": reason})
    return Parcel(
        hook, delivery_of(hook, 1, 0, event, Instant(1)), event, b'{"reason": "%b"}' % reason.encode(), Instant(1)
    )


def test_nothing_in_an_event_becomes_a_header() -> None:
    message = message_of(parcel("unit-1", "x\\r\\nBcc: other@example.org\\r\\n\\r\\n.\\r\\n"), "a@b.c", str)
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert set(read.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    with pytest.raises(ValueError, match="Header values"):
        message_of(parcel("unit-1\r\nBcc: other@example.org", ""), "a@b.c", str)


def test_a_message_that_cannot_be_written_is_not_taken_for_sent() -> None:
    async def scene() -> None:
        sender = MailSender(Server("127.0.0.1", 1, None, None, tls=False, start_tls=False), "a@b.c", str)
        with pytest.raises(ValueError, match="Header values"):
            await sender.send(parcel("unit-1\r\nBcc: other@example.org", ""))

    play(scene)


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
    with pytest.raises(BadSettings, match="LEASEHOLD_SMTP_URL: found a value of another form") as caught:
        load_settings(None, {"LEASEHOLD_SMTP_URL": url})
    assert url not in str(caught.value)
