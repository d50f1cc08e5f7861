"""The ways in which a sign-in fails, in words for the person and in words for the log."""

from __future__ import annotations

from typing import Literal

from leasebook.translations.marks import marked

Kind = Literal["stale", "declined", "provider", "token", "refused", "busy"]


class SignInFailed(Exception):
    """Signing in failed, and nothing was changed.

    ``kind`` is counted in metrics, ``status`` is that of the page. ``text`` is a marked text for the person.
    ``detail`` is for the log: it may quote the provider, and never a token, a code or a secret.
    """

    def __init__(self, kind: Kind, text: str, detail: str, *, status: int = 400, quoted: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.text = text
        self.detail = detail
        self.status = status
        self.quoted = quoted
        """The words of the provider or of a refusal; shown as a quotation, and not translated."""


STALE = marked(
    "This sign-in was begun in another browser, was begun more than ten minutes ago, or was completed before. "
    "Begin again."
)
DECLINED = marked("The identity provider did not let you in.")
AWAY = marked("The identity provider cannot be reached, or does not answer as it should. Try again in a while.")
BAD_TOKEN = marked(
    "The identity provider answered with a proof that this service does not accept. Begin again, and tell an operator "
    "if it happens twice."
)
REFUSED = marked("You are known to the identity provider, and this service does not let you in.")
BUSY = marked("Too many sign-ins come from your address. Try again in a minute.")


def stale(detail: str) -> SignInFailed:
    """Return the failure of an answer that belongs to no sign-in of this browser."""
    return SignInFailed("stale", STALE, detail)


def away(detail: str) -> SignInFailed:
    """Return the failure of a provider that does not answer, or not as it should."""
    return SignInFailed("provider", AWAY, detail, status=502)


def bad_token(detail: str) -> SignInFailed:
    """Return the failure of an ID token that is not accepted."""
    return SignInFailed("token", BAD_TOKEN, detail, status=403)
