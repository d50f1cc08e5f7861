"""Links in reminders: each is signed and permits its holder one action on one instance.

A link is a capability. It names an instance, the deadline of the reminder, and one of a few actions. Only the
service's master key can make one. All channels show the same links for a reminder.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from leasebook.domain.values.calendar import HOUR_US, Instant

Deed = Literal["keep", "release", "renew"]

KEPT_US: Final = 2 * HOUR_US
"""How much later the release is, with the link that keeps an instance."""
PATH: Final = "/links/"
PURPOSE: Final = "links"
"""The purpose for which the links' key is derived from the master key."""
_DEEDS: Final[dict[str, tuple[Deed, ...]]] = {"release": ("keep", "release"), "expiry": ("renew",)}
"""By what the deadline is. A term cannot be ended by hand (decision 16), so there is nothing to release."""
_TOKEN: Final = re.compile(
    r"((keep|release|renew)\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,18}))\.([A-Za-z0-9_-]{43})", re.ASCII
)


_CONFIRMATION: Final = re.compile(r"(confirm\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,18}))\.([A-Za-z0-9_-]{43})", re.ASCII)


class Confirmation(NamedTuple):
    """Which subscription a link confirms, and until when."""

    hook_id: str
    until: Instant


class Link(NamedTuple):
    """A link's action, its instance, and the deadline of the instance until which it holds."""

    deed: Deed
    unit_id: str
    deadline: Instant


class Links:
    """Makes and verifies links. ``base`` is the part of their addresses before ``/links/``.

    ``keys`` is called each time. The first key signs, and any of them verifies. While a new master key replaces an old
    one there are two; afterwards links of the old one are invalid.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]], base: str) -> None:
        self._keys = keys
        self._base = base

    def of(self, unit_id: str, what: str, deadline: Instant) -> dict[str, str]:
        """Return the addresses of what can be done about a deadline: ``keep`` and ``release``, or ``renew``."""
        return {deed: f"{self._base}{PATH}{self.token(Link(deed, unit_id, deadline))}" for deed in _DEEDS.get(what, ())}

    def token(self, link: Link) -> str:
        """Return the last part of a link's address: what it says, and its HMAC-SHA256. Always the same."""
        text = f"{link.deed}.{link.unit_id}.{link.deadline}"
        return f"{text}.{_signature(self._keys()[0], text)}"

    def confirming(self, hook_id: str, until: Instant) -> str:
        """Return the address that confirms a subscription. It is sent only to the mail address of the subscription."""
        text = f"confirm.{hook_id}.{until}"
        return f"{self._base}{PATH}{text}.{_signature(self._keys()[0], text)}"

    def read_confirmation(self, token: str) -> Confirmation | None:
        """Return the subscription that a link confirms; None if this service did not make the link."""
        found = _CONFIRMATION.fullmatch(token)
        if found is None or not self._proves(found[1], found[4]):
            return None
        return Confirmation(found[2], Instant(int(found[3])))

    def read(self, token: str) -> Link | None:
        """Return the content of a link; None if this service did not make it."""
        found = _TOKEN.fullmatch(token)
        if found is None or not self._proves(found[1], found[5]):
            return None
        deed: Deed = found[2]  # type: ignore[assignment]
        return Link(deed, found[3], Instant(int(found[4])))

    def _proves(self, text: str, signature: str) -> bool:
        return any(hmac.compare_digest(_signature(key, text), signature) for key in self._keys())


def _signature(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")
