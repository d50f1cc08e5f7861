"""E-mail: a plain message for people, through the operator's mail server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from types import TracebackType
from typing import Final, cast

import aiosmtplib
import msgspec

from leasebook.addressing.mail import Server
from leasebook.domain.model.subscription import Outcome, Subscription
from leasebook.domain.record.event import HOOK_CONFIRMING, TYPES
from leasebook.domain.values.calendar import Instant, to_datetime
from leasebook.notifications.name_lookup import Lookups
from leasebook.notifications.ports import Parcel

TIMEOUT_S: Final = 20.0
"""For all of it: less than a lease lasts."""
_POLICY: Final = SMTP.clone(cte_type="7bit")
_PERMANENT: Final = 500
_ASKING: Final = """\
A user has asked for mails about compute units to be sent to this address.

If you want them, open this page, and press its button:

{0}

The link holds until {1}. If you do not want them, do nothing: nothing more is sent.
"""


class _Client(aiosmtplib.SMTP):
    """The library's client, whose connection is gone once it is closed.

    The library's own waits for the end of TLS, on a socket that is closed here, and says goodbye to a server also when
    the mail was cancelled, which takes as long as that server likes.
    """

    def close(self) -> None:
        """Close the connection, now."""
        transport = self.transport
        super().close()
        if transport is not None:
            cast("asyncio.WriteTransport", transport).abort()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye, unless there is no time for that."""
        if isinstance(error, asyncio.CancelledError):
            self.close()
        else:
            await super().__aexit__(kind, error, trace)


class MailSender:
    """Sends events to mail addresses. ``shown`` writes times as callers see them."""

    def __init__(
        self,
        server: Server,
        sender: str,
        shown: Callable[[Instant], str],
        confirming: Callable[[str, Instant], str],
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._from = sender
        self._shown = shown
        self._confirming = confirming
        self._timeout_s = timeout_s
        self._lookups = Lookups()
        # With it the server's certificate and name are verified, at STARTTLS as from the first byte.
        self._tls = tls or ssl.create_default_context()

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand the message to the mail server once. The outcome says nothing of what the mail server does later."""
        taken = asyncio.Event()
        try:
            message = message_of(parcel, self._from, self._shown, self._confirming)
            async with asyncio.timeout(self._timeout_s):
                await self._hand_over(parcel.hook.target, message.as_bytes(), taken)
        except aiosmtplib.SMTPAuthenticationError as error:
            # The mail server's operator and ours disagree; the receiver is not at fault.
            return Outcome("Retry", error.code, "The mail server refuses this service's user or password.")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _answered(error.recipients[0].code, error.recipients[0].message)
        except aiosmtplib.SMTPResponseException as error:
            return _answered(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if not taken.is_set():
                words = " ".join(str(error).split()) or type(error).__name__
                return Outcome("Retry", failure=f"The mail server cannot be used: {words}.")
            # It has the message. How it says goodbye takes nothing of that back.
        return Outcome("Delivered", 250)

    async def rest(self, hook: Subscription) -> None:  # noqa: ARG002 - all go through one server
        """Wait until its name is not looked up any more."""
        await self._lookups.rest(self._server.host)

    async def close(self) -> None:
        """Nothing stays open."""

    async def _hand_over(self, receiver: str, message: bytes, taken: asyncio.Event) -> None:
        server = self._server
        connection = await self._connected()
        try:
            client = _Client(
                hostname=server.host,
                username=server.user,
                password=server.password,
                use_tls=server.tls,
                start_tls=server.start_tls,
                timeout=self._timeout_s,
                # Else it asks a name server for this machine's name, and waits for it.
                local_hostname=socket.gethostname(),
                tls_context=self._tls,
                sock=connection,
            )
            async with client:
                await client.sendmail(self._from, [receiver], message)
                taken.set()
        finally:
            connection.close()

    async def _connected(self) -> socket.socket:
        """Connect to the server, at each of its addresses in turn; raises OSError."""
        failure = OSError(f"{self._server.host} has no address")
        for address in await self._lookups.resolve(self._server.host, self._server.port):
            connection = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)  # noqa: PLR2004
            connection.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(connection, (str(address), self._server.port))
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise failure


def _answered(code: int, message: str) -> Outcome:
    words = f"The mail server answered {code}: {' '.join(message.split())}"
    return Outcome("Refused" if code >= _PERMANENT else "Retry", code, words)


def message_of(
    parcel: Parcel, sender: str, shown: Callable[[Instant], str], confirming: Callable[[str, Instant], str]
) -> EmailMessage:
    """Write the message. It is the same on every attempt but for names, under the same Message-ID.

    ``confirming`` makes the address that confirms a subscription. Only the confirmation mail has it.
    """
    event = parcel.event
    what = TYPES.get(event.type, event.type)
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = parcel.hook.target
    subject = "Confirm this address" if event.type == HOOK_CONFIRMING else event.type
    unit = event.unit_id if parcel.unit_name is None else f"“{parcel.unit_name}” ({event.unit_id})"
    message["Subject"] = f"[Leasebook] {subject}" + (f" {unit}" if unit else "")
    message["Date"] = to_datetime(event.at)
    message["Message-ID"] = f"<{parcel.delivery.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if event.type == HOOK_CONFIRMING:
        until = parcel.hook.confirm_until
        assert until is not None  # noqa: S101 - a subscription gets this event only while its confirmation is open
        message.set_content(_ASKING.format(confirming(parcel.hook.id, until), shown(until)))
        return message
    details = msgspec.json.format(parcel.body, indent=2).decode()
    lines = [
        what,
        "",
        f"Event:    {event.type}",
        *([f"Instance: {unit}"] if unit else []),
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
