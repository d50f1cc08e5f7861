"""The identity provider: its discovery document and its keys, fetched when they are needed and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from leasebook.addressing.secure_web import secure_web_of
from leasebook.console.openid.failures import away
from leasebook.console.openid.fetching import Fetcher

KEPT_S: Final = 3600.0
"""How long the document and the keys are kept, in seconds."""
AGAIN_S: Final = 30.0
"""How soon keys are fetched again for a token that names an unknown key, in seconds."""
KEYS_MAX: Final = 100
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
"""The signatures that are accepted. ``none`` and those by a shared secret are not among them."""
_KINDS: Final = {"R": "RSA", "P": "RSA", "E": "EC"}


class Metadata(msgspec.Struct, frozen=True):
    """The parts of the discovery document that are used (OpenID Connect Discovery 1.0, RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class PublicKey(msgspec.Struct, frozen=True):
    """A key of the provider. ``algorithm`` is the only one that it is for; None: any that its kind allows."""

    key_id: str | None
    kind: str
    algorithm: str | None
    key: Key


class Provider:
    """The identity provider, as this service knows it. ``now`` returns seconds of a clock that only goes forward."""

    def __init__(self, issuer: str, fetcher: Fetcher, now: Callable[[], float]) -> None:
        self.issuer: Final = issuer
        self._fetcher = fetcher
        self._now = now
        self._metadata: tuple[Metadata, float] | None = None
        self._keys: tuple[tuple[PublicKey, ...], float] | None = None
        self._asking = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return the discovery document; raises SignInFailed."""
        async with self._asking:
            return await self._document()

    async def keys_for(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """Return the keys that may have signed a token whose head names these; raises SignInFailed.

        If there is none, the keys are fetched again: the provider may have changed them. That happens at most every
        ``AGAIN_S``, so that invented tokens do not make this service ask all the time.
        """
        async with self._asking:
            if self._keys is None or self._now() - self._keys[1] >= KEPT_S:
                await self._fetch_keys()
            found = self._matching(key_id, algorithm)
            if not found and self._keys is not None and self._now() - self._keys[1] >= AGAIN_S:
                await self._fetch_keys()
                found = self._matching(key_id, algorithm)
            return found

    async def _document(self) -> Metadata:
        if self._metadata is not None and self._now() - self._metadata[1] < KEPT_S:
            return self._metadata[0]
        answer = await self._fetcher.get(f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration")
        try:
            found = msgspec.convert(answer.content, Metadata)
            for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                secure_web_of(url)
        except ValueError as error:
            raise away(f"the discovery document of {self.issuer} cannot be used: {error}") from None
        if found.issuer != self.issuer:
            raise away(
                f"the discovery document of {self.issuer} is of the issuer {found.issuer[:200]!r}: set "
                "console.openid_issuer to the issuer that the provider calls itself, letter by letter"
            )
        methods = found.code_challenge_methods_supported
        if methods is not None and "S256" not in methods:
            raise away(f"{self.issuer} does not support PKCE with S256, which this service requires")
        self._metadata = found, self._now()
        return found

    async def _fetch_keys(self) -> None:
        document = await self._document()
        answer = await self._fetcher.get(document.jwks_uri)
        listed = answer.content.get("keys")
        if not isinstance(listed, list) or len(listed) > KEYS_MAX:
            raise away(f"{document.jwks_uri} has no list of at most {KEYS_MAX} keys")
        self._keys = tuple(key for one in listed if (key := _public_key(one)) is not None), self._now()

    def _matching(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        keys = () if self._keys is None else self._keys[0]
        kind = _KINDS[algorithm[0]] if algorithm not in ("Ed25519", "EdDSA") else "OKP"
        return [
            key
            for key in keys
            if key.kind == kind and key.algorithm in (None, algorithm) and (key_id is None or key.key_id == key_id)
        ]


def _public_key(value: Any) -> PublicKey | None:
    """Return a key of the list; None: it is of another kind, for another use, or cannot be read."""
    if not isinstance(value, dict) or value.get("use", "sig") != "sig" or value.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    algorithm, key_id = value.get("alg"), value.get("kid")
    if not isinstance(algorithm, str | None) or not isinstance(key_id, str | None):
        return None
    try:
        return PublicKey(key_id, value["kty"], algorithm, JWKRegistry.import_key(value))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
