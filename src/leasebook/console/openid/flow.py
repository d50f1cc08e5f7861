"""The code flow with PKCE: where a browser is sent to sign in, and what an answer that comes back proves.

The browser that begins a sign-in keeps its state, nonce and verifier in a signed cookie, and no server keeps them. So
any server of the store takes the answer, and a browser that did not begin the sign-in cannot complete it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec

from leasebook.console.openid.failures import DECLINED, SignInFailed, away, stale
from leasebook.console.openid.fetching import OK, Fetcher
from leasebook.console.openid.id_token import Expected, Person, person_of
from leasebook.console.openid.provider import Metadata, Provider

HOLDS_S: Final = 600
"""How long a person has to sign in at the provider, in seconds."""
COOKIE_MAX: Final = 2000
CODE_MAX: Final = 4096
"""Upper bound on a code, in characters."""
QUOTED_MAX: Final = 200
SIGNED_OUT: Final = "signed-out"
PURPOSE: Final = "console openid"
"""The purpose for which the key of the cookie is derived from the master key."""

Keys = Callable[[], Sequence[bytes]]
"""Returns the keys: the first signs, and any of them verifies. While one master key replaces another there are two."""


class Client(msgspec.Struct, frozen=True):
    """How the provider knows this service. ``redirect_uri`` is sent letter by letter as it is registered there."""

    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: str
    groups_claim: str


class Begun(msgspec.Struct, frozen=True):
    """A sign-in that was begun: where the browser goes, and the cookie that it keeps for ``HOLDS_S``."""

    url: str
    cookie: str


class _Begun(msgspec.Struct, frozen=True, array_like=True):
    """The content of the cookie. ``until_s`` is in seconds since 1970 UTC, ``back`` a path of the console."""

    state: str
    nonce: str
    verifier: str
    until_s: int
    back: str


class Completed(msgspec.Struct, frozen=True):
    """A sign-in that the provider completed. ``state`` names this one sign-in, whose cookie holds until ``until_s``."""

    person: Person
    state: str
    until_s: int
    back: str


class CodeFlow:
    """Begins and completes sign-ins. ``now_s`` returns seconds since 1970 UTC, by the machine's clock."""

    def __init__(
        self, provider: Provider, fetcher: Fetcher, client: Client, keys: Keys, now_s: Callable[[], int]
    ) -> None:
        self.provider: Final = provider
        self.client: Final = client
        self._fetcher = fetcher
        self._keys = keys
        self._now_s = now_s

    async def begin(self, back: str) -> Begun:
        """Begin a sign-in that leads to a path of the console in the end; raises SignInFailed."""
        metadata = await self.provider.metadata()
        begun = _Begun(_random(), _random(), _random(), self._now_s() + HOLDS_S, back)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": self.client.scopes,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Begun(_with_query(metadata.authorization_endpoint, asked), _sealed(self._keys()[0], begun))

    async def complete(self, query: Sequence[tuple[str, str]], cookie: str) -> Completed:
        """Return whom the provider names in its answer; raises SignInFailed. ``query`` is that of the answer."""
        begun = _opened(self._keys(), cookie)
        answer = _once(query)
        if begun is None or begun.until_s <= self._now_s():
            raise stale("the browser has no sign-in that holds")
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise stale("the answer's state is not that of this browser's sign-in")
        metadata = await self.provider.metadata()
        _check_issuer(answer, metadata)
        if "error" in answer:
            said = _quoted(answer, "error", "error_description")
            raise SignInFailed("declined", DECLINED, f"the provider answered {said}", status=403, quoted=said)
        code = answer.get("code", "")
        if not 1 <= len(code) <= CODE_MAX:
            raise stale("the provider's answer has no code")
        token = await self._id_token(metadata, code, begun.verifier)
        expected = Expected(self.client.client_id, begun.nonce, self.client.groups_claim, self._now_s())
        return Completed(await person_of(token, self.provider, expected), begun.state, begun.until_s, begun.back)

    async def signing_out(self, back: str) -> str | None:
        """Return the address at which a browser signs out at the provider; None: the provider has none.

        The browser goes ``back`` then, with the state ``SIGNED_OUT``. Raises SignInFailed.
        """
        endpoint = (await self.provider.metadata()).end_session_endpoint
        if endpoint is None:
            return None
        asked = {"client_id": self.client.client_id, "post_logout_redirect_uri": back, "state": SIGNED_OUT}
        return _with_query(endpoint, asked)

    async def _id_token(self, metadata: Metadata, code: str, verifier: str) -> object:
        """Exchange the code for an ID token; raises SignInFailed. The access token is dropped: nothing needs it."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": verifier,
        }
        authorization = None
        secret, methods = self.client.client_secret, metadata.token_endpoint_auth_methods_supported
        if secret is not None and "client_secret_basic" in methods:
            both = f"{quote(self.client.client_id, safe='')}:{quote(secret, safe='')}"
            authorization = f"Basic {base64.b64encode(both.encode()).decode()}"
        else:
            form["client_id"] = self.client.client_id
            if secret is not None:
                form["client_secret"] = secret
        answer = await self._fetcher.post(metadata.token_endpoint, form, authorization)
        if answer.status == OK:
            return answer.content.get("id_token")
        said = _quoted(answer.content, "error", "error_description")
        if answer.content.get("error") == "invalid_grant":
            raise stale(f"the provider does not take the code: {said}")
        raise away(f"the provider's token endpoint answered {answer.status}: {said}")


def _random() -> str:
    return secrets.token_urlsafe(32)


def _with_query(endpoint: str, asked: Mapping[str, str]) -> str:
    """Add parameters to an address, which may have some."""
    parts = urlsplit(endpoint)
    query = "&".join(filter(None, (parts.query, urlencode(asked, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def _sealed(key: bytes, begun: _Begun) -> str:
    text = base64.urlsafe_b64encode(msgspec.json.encode(begun)).decode().rstrip("=")
    return f"{text}.{_signature(key, text)}"


def _opened(keys: Sequence[bytes], cookie: str) -> _Begun | None:
    """Return the content of a cookie; None: no server of this store made it."""
    text, _, signature = cookie.partition(".")
    if len(cookie) > COOKIE_MAX or not any(
        hmac.compare_digest(_signature(key, text).encode(), signature.encode()) for key in keys
    ):
        return None
    return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Begun)


def _signature(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")


def _once(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters of an answer; raises SignInFailed where one comes twice, since then either may count."""
    found = dict(query)
    if len(found) != len(query):
        raise stale("the provider's answer has a parameter twice")
    return found


def _check_issuer(answer: Mapping[str, str], metadata: Metadata) -> None:
    """Raise SignInFailed for the answer of another provider (RFC 9207): its code must not be sent to this one."""
    issuer = answer.get("iss")
    if issuer is None and metadata.authorization_response_iss_parameter_supported:
        raise stale("the answer does not name its issuer, and this provider's answers do")
    if issuer is not None and issuer != metadata.issuer:
        raise stale(f"the answer is of another issuer, {issuer[:QUOTED_MAX]!r}")


def _quoted(answer: Mapping[str, Any], *names: str) -> str:
    """Return what the provider says about an error, bounded and printable."""
    said = ": ".join(text for name in names if isinstance(text := answer.get(name), str) and text)
    return "".join(letter if letter.isprintable() else " " for letter in said[:QUOTED_MAX]) or "nothing"
