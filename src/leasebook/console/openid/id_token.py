"""The ID token: who the provider says has signed in, and every check of that proof (OpenID Connect Core 3.1.3.7)."""

from __future__ import annotations

import hmac
from typing import Any, Final

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError

from leasebook.console.openid.failures import bad_token
from leasebook.console.openid.provider import ALGORITHMS, Provider

TOKEN_MAX: Final = 32 * 1024
"""Upper bound on an ID token, in characters."""
LEEWAY_S: Final = 60
"""How far the clocks of the provider and of this service may differ, in seconds."""
AGE_MAX_S: Final = 600
"""How old a token may be that answers a sign-in of now, in seconds."""
SUBJECT_MAX: Final = 255
GROUPS_MAX: Final = 2000
_NAMES: Final = ("name", "preferred_username", "email")


class Person(msgspec.Struct, frozen=True):
    """A person as the provider names one. ``name`` is for people, and nothing depends on it."""

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]


class Expected(msgspec.Struct, frozen=True):
    """The sign-in that an ID token must be for. ``now`` is the time in seconds since 1970 UTC."""

    client_id: str
    nonce: str
    groups_claim: str
    now: int


async def person_of(token: object, provider: Provider, expected: Expected) -> Person:
    """Return the person whom an ID token names; raises SignInFailed for a token that does not hold."""
    if not isinstance(token, str) or len(token) > TOKEN_MAX or token.count(".") != 2:  # noqa: PLR2004 - a signed JWT
        raise bad_token("the provider's answer has no signed ID token")
    claims = await _signed_claims(token, provider)
    _check_claims(claims, provider.issuer, expected)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= SUBJECT_MAX or not subject.isprintable():
        raise bad_token(f"the ID token's sub is not a text of 1 to {SUBJECT_MAX} printable characters")
    return Person(provider.issuer, subject, _name(claims, subject), _groups(claims, expected.groups_claim))


async def _signed_claims(token: str, provider: Provider) -> dict[str, Any]:
    """Return the claims of a token that one of the provider's keys signed."""
    try:
        head = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise bad_token(f"the ID token cannot be read: {type(error).__name__}") from None
    algorithm, key_id = head.get("alg"), head.get("kid")
    if algorithm not in ALGORITHMS:
        raise bad_token(f"the ID token is signed by {str(algorithm)[:40]!r}; accepted are {', '.join(ALGORITHMS)}")
    if not isinstance(key_id, str | None):
        raise bad_token("the ID token's kid is not a text")
    keys = await provider.keys_for(key_id, algorithm)
    if key_id is None and len(keys) > 1:
        raise bad_token("the ID token does not say which of the provider's keys signed it")
    for key in keys:
        try:
            return jwt.decode(token, key.key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError) as error:
            raise bad_token(f"the ID token's signature does not hold: {type(error).__name__}") from None
    raise bad_token(f"the provider has no key {str(key_id)[:80]!r} for {algorithm}")


def _check_claims(claims: dict[str, Any], issuer: str, expected: Expected) -> None:
    if claims.get("iss") != issuer:
        raise bad_token(f"the ID token is of the issuer {str(claims.get('iss'))[:200]!r}, not of {issuer}")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise bad_token("the ID token is for another audience")
    party = claims.get("azp")
    if (party is not None or len(audiences) > 1) and party != expected.client_id:
        raise bad_token("the ID token was made for another party (azp)")
    _check_times(claims, expected.now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise bad_token("the ID token answers another sign-in: its nonce is another one")


def _check_times(claims: dict[str, Any], now: int) -> None:
    ends, made = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if ends is None or ends <= now - LEEWAY_S:
        raise bad_token("the ID token has expired, or has no end")
    if made is None or not now - AGE_MAX_S <= made <= now + LEEWAY_S:
        raise bad_token("the ID token was made at another time than now: compare the clocks of both machines")
    if "nbf" in claims:
        begins = _seconds(claims["nbf"])
        if begins is None or begins > now + LEEWAY_S:
            raise bad_token("the ID token is not valid yet")


def _seconds(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _name(claims: dict[str, Any], subject: str) -> str:
    """Return a name for people: the first of the usual claims that is one, else the subject."""
    texts = (claims.get(name) for name in _NAMES)
    found = (" ".join(text.split())[:128] for text in texts if isinstance(text, str))
    return next((text for text in found if text and text.isprintable()), subject[:128])


def _groups(claims: dict[str, Any], claim: str) -> tuple[str, ...]:
    """Return the groups of a person; raises SignInFailed for a claim that is no list of texts."""
    value = claims.get(claim, [])
    groups = [value] if isinstance(value, str) else value
    if not isinstance(groups, list) or len(groups) > GROUPS_MAX or not all(isinstance(one, str) for one in groups):
        raise bad_token(f"the ID token's {claim[:80]!r} is no list of at most {GROUPS_MAX} texts")
    return tuple(groups)
