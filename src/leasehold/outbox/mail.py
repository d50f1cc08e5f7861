"""E-mail: a plain message for people, through the operator's mail server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

import aiosmtplib
import msgspec

from leasehold.domain.calendar import Instant, to_datetime
from leasehold.domain.event import TYPES
from leasehold.domain.outbox import Outcome
from leasehold.outbox.mailbox import Server
from leasehold.outbox.sending import Parcel

TIMEOUT_S: Final = 20.0
"""For all of it: less than a lease lasts."""
_POLICY: Final = SMTP.clone(cte_type="7bit")
_PERMANENT: Final = 500


class MailSender:
    """Sends events to mail addresses. ``shown`` writes times as callers see them."""

    def __init__(
        self, server: Server, sender: str, shown: Callable[[Instant], str], *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._server = server
        self._from = sender
        self._shown = shown
        self._timeout_s = timeout_s

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand the message to the mail server once. What that does with it later is not known here."""
        server = self._server
        try:
            message = message_of(parcel, self._from, self._shown)
            client = aiosmtplib.SMTP(
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.tls,
                start_tls=server.start_tls,
                timeout=self._timeout_s,
            )
            async with asyncio.timeout(self._timeout_s), client:
                await client.sendmail(self._from, [parcel.hook.target], message.as_bytes())
        except aiosmtplib.SMTPAuthenticationError as error:
            # The mail server's operator and ours disagree; the receiver is not at fault.
            return Outcome("Retry", error.code, "The mail server does not let this service in.")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _answered(error.recipients[0].code, error.recipients[0].message)
        except aiosmtplib.SMTPResponseException as error:
            return _answered(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            words = " ".join(str(error).split()) or type(error).__name__
            return Outcome("Retry", failure=f"The mail server cannot be used: {words}.")
        return Outcome("Delivered", 250)

    async def close(self) -> None:
        """Nothing stays open."""


def _answered(code: int, message: str) -> Outcome:
    words = f"The mail server answered {code}: {' '.join(message.split())}"
    return Outcome("Refused" if code >= _PERMANENT else "Retry", code, words)


def message_of(parcel: Parcel, sender: str, shown: Callable[[Instant], str]) -> EmailMessage:
    """Write the message. It is the same on every attempt, under the same Message-ID."""
    event = parcel.event
    what = TYPES.get(event.type, event.type)
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = parcel.hook.target
    message["Subject"] = f"[Leasehold] {event.type}" + (f" {event.unit_id}" if event.unit_id else "")
    message["Date"] = to_datetime(event.at)
    message["Message-ID"] = f"<{parcel.delivery.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    details = msgspec.json.format(parcel.body, indent=2).decode()
    lines = [
        what,
        "",
        f"Event:    {event.type}",
        *([f"Instance: {event.unit_id}"] if event.unit_id else []),
        f"Account:  {parcel.hook.account_id}",
        f"Time:     {shown(event.at)}",
        "",
        details,
        "",
        f"Sent by subscription {parcel.hook.id}. ModifySubscription pauses it, DeleteSubscription ends it.",
        "",
    ]
    message.set_content("\n".join(lines))
    return message
