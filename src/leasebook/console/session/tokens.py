"""Signed texts of the console: links to sign in, session cookies, and the tokens of forms.

Each begins with its kind, so that none can serve as another. The keys are derived from the master key: every server of
a store makes and reads the same texts.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

PURPOSE: Final = "console"
"""The purpose for which the console's keys are derived from the master key."""
How = Literal["link", "password", "openid"]
"""How a user signed in."""
_SIGNATURE: Final = r"\.([A-Za-z0-9_-]{43})"
_LINK: Final = re.compile(r"(in1\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,12})\.([A-Za-z0-9_-]{22}))" + _SIGNATURE, re.ASCII)
_SESSION: Final = re.compile(
    r"(se2\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{22})\.([0-9]{1,12})\.([0-9]{1,12})\.(link|password|openid)"
    r"\.([0-9]{1,18}))" + _SIGNATURE,
    re.ASCII,
)
_CODE_STATE: Final = re.compile(r"(co2\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,12})\.([0-9]{1,18}))" + _SIGNATURE, re.ASCII)

_CALENDAR: Final = re.compile(r"(ca1\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,9}))" + _SIGNATURE, re.ASCII)

Keys = Callable[[], Sequence[bytes]]
"""Returns the keys: the first signs, and any of them verifies. While one master key replaces another there are two."""


class SignInLink(NamedTuple):
    """The contents of a link to sign in: the user, its end in seconds since 1970 UTC, and its own id."""

    user_id: str
    until_s: int
    id: str


class SessionToken(NamedTuple):
    """The contents of a session cookie. Times are seconds since 1970 UTC; ``seen_s``: the cookie was written.

    ``password_at`` is when the password that began it was set, in microseconds, by which it is known; 0: none did.
    """

    user_id: str
    id: str
    began_s: int
    seen_s: int
    how: How
    password_at: int = 0


def new_id() -> str:
    """Draw an id of 128 bits."""
    return secrets.token_urlsafe(16)


def link_text(key: bytes, link: SignInLink) -> str:
    """Return the last part of a link's address."""
    return _signed(key, f"in1.{link.user_id}.{link.until_s}.{link.id}")


def read_link(keys: Sequence[bytes], text: str) -> SignInLink | None:
    """Return what a link says; None if no server of this store made it."""
    found = _LINK.fullmatch(text)
    if found is None or not _holds(keys, found[1], found[5]):
        return None
    return SignInLink(found[2], int(found[3]), found[4])


def session_text(key: bytes, token: SessionToken) -> str:
    """Return the value of a session cookie."""
    text = f"se2.{token.user_id}.{token.id}.{token.began_s}.{token.seen_s}.{token.how}.{token.password_at}"
    return _signed(key, text)


def read_session(keys: Sequence[bytes], text: str) -> SessionToken | None:
    """Return what a session cookie says; None if no server of this store made it."""
    found = _SESSION.fullmatch(text)
    if found is None or not _holds(keys, found[1], found[8]):
        return None
    how: How = found[6]  # type: ignore[assignment]
    return SessionToken(found[2], found[3], int(found[4]), int(found[5]), how, int(found[7]))


def calendar_text(key: bytes, user_id: str, number: int) -> str:
    """Return the part of the address of a user's calendar that opens it; a new number makes a new address."""
    return _signed(key, f"ca1.{user_id}.{number}")


def read_calendar(keys: Sequence[bytes], text: str) -> tuple[str, int] | None:
    """Return the user and the number of a calendar's address; None if no server of this store made it."""
    found = _CALENDAR.fullmatch(text)
    if found is None or not _holds(keys, found[1], found[4]):
        return None
    return found[2], int(found[3])


class CodeState(NamedTuple):
    """A browser whose user has given the password and is asked for a code; ``began_s`` in seconds since 1970 UTC.

    ``password_at`` is when that password was set, in microseconds.
    """

    user_id: str
    began_s: int
    password_at: int


def code_state(key: bytes, state: CodeState, party: str) -> str:
    """Return a state as the browser has it."""
    text = f"co2.{state.user_id}.{state.began_s}.{state.password_at}"
    return f"{text}.{_signature(key, f'{text}.{party}')}"


def read_code_state(keys: Sequence[bytes], text: str, party: str) -> CodeState | None:
    """Return a state; None if no server of this store made it for this browser."""
    found = _CODE_STATE.fullmatch(text)
    if found is None or not _holds(keys, f"{found[1]}.{party}", found[5]):
        return None
    return CodeState(found[2], int(found[3]), int(found[4]))


def form_token(key: bytes, party: str) -> str:
    """Return the token of the forms of a party: a session's id, or the cookie of a browser that has none."""
    return _signature(key, f"form.{party}")


def is_form_token(keys: Sequence[bytes], party: str, given: str) -> bool:
    """Whether a form was made for that party."""
    return _holds(keys, f"form.{party}", given)


def _signed(key: bytes, text: str) -> str:
    return f"{text}.{_signature(key, text)}"


def _holds(keys: Sequence[bytes], text: str, signature: str) -> bool:
    given = signature.encode()
    return any(hmac.compare_digest(_signature(key, text).encode(), given) for key in keys)


def _signature(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")
