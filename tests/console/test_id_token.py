"""ID tokens that no certified provider makes: each lacks one thing, and lets no one in."""

from __future__ import annotations

import base64
from typing import Any, Final

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from leasebook.console.openid.failures import SignInFailed
from leasebook.console.openid.fetching import Answer, Fetcher
from leasebook.console.openid.id_token import Expected, Person, person_of
from leasebook.console.openid.provider import KEYS_MAX, Provider

ISSUER: Final = "https://login.example.com"
NOW: Final = 1_900_000_000
NO_ALGORITHM: Final = b'{"alg":"none"}'
RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}, auto_kid=False)
EC: Final = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}, auto_kid=False)
ED: Final = OKPKey.generate_key("Ed25519", {"kid": "ed"}, auto_kid=False)
STRANGE: Final = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
WANTED: Final = Expected("leasebook", "the nonce", "groups", NOW)
GOOD: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "sub": "person",
    "aud": "leasebook",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "the nonce",
    "name": "Li Lei",
    "groups": ["ml"],
}


class Documents(Fetcher):
    """The documents that the provider publishes, without a network."""

    def __init__(self, keys: list[Any]) -> None:
        super().__init__()
        self.keys = keys
        self.asked: list[str] = []

    async def get(self, url: str) -> Answer:
        self.asked.append(url)
        if url.endswith("/keys"):
            return Answer(200, {"keys": self.keys})
        names = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return Answer(200, {"issuer": ISSUER, **{name: ISSUER + path for name, path in names.items()}})


PUBLISHED: Final = [key.as_dict(private=False) for key in (RSA, EC, ED)]


def provider(keys: list[Any] | None = None) -> Provider:
    return Provider(ISSUER, Documents(PUBLISHED if keys is None else keys), lambda: 0.0)


def token(claims: dict[str, Any], key: Any = RSA, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": "rsa", **header}, claims, key, algorithms=["RS256", "ES256", "Ed25519"])


async def detail_of(text: object, keys: list[Any] | None = None) -> str:
    with pytest.raises(SignInFailed) as failed:
        await person_of(text, provider(keys), WANTED)
    assert failed.value.kind == "token"
    return failed.value.detail


@pytest.mark.parametrize(
    ("key", "header"),
    [(RSA, {}), (EC, {"alg": "ES256", "kid": "ec"}), (ED, {"alg": "Ed25519", "kid": "ed"})],
    ids=["RS256", "ES256", "Ed25519"],
)
async def test_a_good_token_names_the_person(key: Any, header: dict[str, str]) -> None:
    found = await person_of(token(GOOD, key, **header), provider(), WANTED)
    assert found == Person(ISSUER, "person", "Li Lei", ("ml",))


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"iss": "https://login.example.org"}, "of the issuer"),
        ({"iss": None}, "of the issuer"),
        ({"aud": "another"}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": ["leasebook", "another"]}, "another party"),
        ({"aud": ["leasebook", "another"], "azp": "another"}, "another party"),
        ({"azp": "another"}, "another party"),
        ({"exp": NOW - 61}, "has expired"),
        ({"exp": None}, "has expired"),
        ({"exp": "9999999999"}, "has expired"),
        ({"exp": True}, "has expired"),
        ({"iat": NOW - 601}, "another time"),
        ({"iat": NOW + 61}, "another time"),
        ({"iat": None}, "another time"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nbf": "now"}, "not valid yet"),
        ({"nonce": "another"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"sub": ""}, "the ID token's sub"),
        ({"sub": 7}, "the ID token's sub"),
        ({"sub": "a\x00b"}, "the ID token's sub"),
        ({"sub": "a" * 256}, "the ID token's sub"),
        ({"groups": {"ml": True}}, "is no list"),
        ({"groups": ["ml", 7]}, "is no list"),
    ],
)
async def test_a_token_with_one_wrong_claim_is_refused(changed: dict[str, Any], detail: str) -> None:
    assert detail in await detail_of(token(GOOD | changed))


@pytest.mark.parametrize(
    ("changed", "groups"),
    [({"groups": None}, None), ({"groups": "ml"}, ("ml",)), ({"groups": []}, ())],
)
async def test_groups_are_a_list_or_one_text(changed: dict[str, Any], groups: tuple[str, ...] | None) -> None:
    if groups is None:
        assert "is no list" in await detail_of(token(GOOD | changed))
    else:
        assert (await person_of(token(GOOD | changed), provider(), WANTED)).groups == groups


async def test_a_token_without_groups_has_none_and_one_without_a_name_has_its_subject_for_it() -> None:
    claims = {name: value for name, value in GOOD.items() if name not in ("groups", "name")}
    assert await person_of(token(claims), provider(), WANTED) == Person(ISSUER, "person", "person", ())
    for odd in ("", " \n ", "\x07", 7):
        assert (await person_of(token(GOOD | {"name": odd}), provider(), WANTED)).name == "person"


async def test_only_signatures_by_the_providers_keys_count() -> None:
    good = token(GOOD)
    head, claims, signature = good.split(".")
    unsigned = ".".join((base64.urlsafe_b64encode(NO_ALGORITHM).decode().rstrip("="), claims, ""))
    shared = jwt.encode({"alg": "HS256", "kid": "rsa"}, GOOD, OctKey.generate_key(256), algorithms=["HS256"])
    assert "signature does not hold" in await detail_of(token(GOOD, STRANGE))
    assert "signature does not hold" in await detail_of(f"{head}.{claims}.{'A' * len(signature)}")
    assert "is signed by 'none'" in await detail_of(unsigned)
    assert "is signed by 'HS256'" in await detail_of(shared)
    assert "has no key 'ec' for RS256" in await detail_of(token(GOOD, kid="ec"))
    assert "has no key 'rsa' for RS256" in await detail_of(good, [RSA.as_dict(private=False) | {"alg": "PS256"}])
    assert "has no key 'rsa' for RS256" in await detail_of(good, [RSA.as_dict(private=False) | {"use": "enc"}])
    for text in (None, 7, "", "a.b", "a.b.c", "a.b.c.d.e", good + "." + good, "é.é.é", "x" * 40_000 + ".a.b"):
        assert "ID token" in await detail_of(text)


async def test_a_token_without_a_key_id_is_taken_only_if_one_key_can_have_signed_it() -> None:
    bare = jwt.encode({"alg": "RS256"}, GOOD, RSA, algorithms=["RS256"])
    assert (await person_of(bare, provider(), WANTED)).subject == "person"
    twins = [*PUBLISHED, STRANGE.as_dict(private=False) | {"kid": "second"}]
    assert "does not say which" in await detail_of(bare, twins)


async def test_keys_that_cannot_be_read_are_passed_over_and_too_many_are_refused() -> None:
    odd = [7, {}, {"kty": "RSA"}, {"kty": "RSA", "n": 5, "e": "x"}, {"kty": "oct", "k": "AA"}, {"kty": "AKP"}]
    assert (await person_of(token(GOOD), provider([*odd, *PUBLISHED]), WANTED)).subject == "person"
    with pytest.raises(SignInFailed, match="no list of at most"):
        await person_of(token(GOOD), provider([{}] * (KEYS_MAX + 1)), WANTED)


async def test_invented_keys_make_this_service_ask_at_most_every_half_minute() -> None:
    now, documents = [0.0], Documents(PUBLISHED)
    known = Provider(ISSUER, documents, lambda: now[0])
    for _ in range(20):
        now[0] += 2.0
        with pytest.raises(SignInFailed):
            await person_of(token(GOOD, kid="invented"), known, WANTED)
    assert documents.asked.count(f"{ISSUER}/keys") == 2
