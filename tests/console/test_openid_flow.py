"""The code flow, against a certified provider: real requests, real redirects, and a browser for each person."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import pytest

from leasebook.console.openid.failures import SignInFailed
from leasebook.console.openid.fetching import Fetcher
from leasebook.console.openid.flow import HOLDS_S, Begun, Client, CodeFlow
from leasebook.console.openid.id_token import Person
from leasebook.console.openid.provider import AGAIN_S, KEPT_S, Provider
from tests.console.identity_provider import CLIENT_ID, SECRET, IdentityProvider, RedirectFollower, query_of, running

REDIRECT: Final = "http://127.0.0.1:9/console/openid/callback"
KEY: Final = b"k" * 32


class Times:
    """The clocks of a flow: the machine's time moved by some seconds, and seconds that only go forward."""

    def __init__(self) -> None:
        self.moved = 0

    def wall_s(self) -> int:
        return int(time.time()) + self.moved

    def steady(self) -> float:
        return time.monotonic() + self.moved


class Signing:
    """A flow at this service, with its clocks."""

    def __init__(self, issuer: str, secret: str | None = SECRET, key: bytes = KEY) -> None:
        self.times = Times()
        self.fetcher = Fetcher()
        self.provider = Provider(issuer, self.fetcher, self.times.steady)
        client = Client(CLIENT_ID, secret, REDIRECT, "openid profile groups", "groups")
        self.flow = CodeFlow(self.provider, self.fetcher, client, lambda: [key], self.times.wall_s)

    async def answer(self, begun: Begun, change: Callable[[str], str] = str) -> str:
        """Return the address that the provider sends the browser back to; ``change`` changes where it was sent."""
        with RedirectFollower() as browser:
            return browser.follow(change(begun.url), REDIRECT)

    async def sign_in(self) -> Person:
        begun = await self.flow.begin("/console/")
        return (await self.flow.complete(query_of(await self.answer(begun)), begun.cookie)).person


@pytest.fixture(scope="module")
def started() -> Iterator[IdentityProvider]:
    with running(REDIRECT) as provider:
        yield provider


@pytest.fixture
def idp(started: IdentityProvider) -> Iterator[IdentityProvider]:
    """The provider, as it was before the test that changed it."""
    try:
        yield started
    finally:
        started.control(
            isAway=False,
            person={"sub": "person-1", "name": "Li Lei", "groups": []},
            options={"idTokenSeconds": 3600, "declines": False},
        )


@pytest.fixture
async def signing(idp: IdentityProvider) -> AsyncIterator[Signing]:
    made = Signing(idp.issuer)
    yield made
    await made.fetcher.close()


async def failing(signing: Signing, query: list[tuple[str, str]], cookie: str) -> SignInFailed:
    with pytest.raises(SignInFailed) as failed:
        await signing.flow.complete(query, cookie)
    return failed.value


async def test_a_person_is_who_the_provider_says_with_the_groups_of_now(
    signing: Signing, idp: IdentityProvider
) -> None:
    idp.person(groups=["ml", "ops"], name="Han Meimei")
    assert await signing.sign_in() == Person(idp.issuer, "person-1", "Han Meimei", ("ml", "ops"))
    idp.person(groups=["ml"])
    assert (await signing.sign_in()).groups == ("ml",)


async def test_a_code_is_good_once(signing: Signing) -> None:
    begun = await signing.flow.begin("/console/")
    query = query_of(await signing.answer(begun))
    await signing.flow.complete(query, begun.cookie)
    again = await failing(signing, query, begun.cookie)
    assert again.kind == "stale"
    assert "invalid_grant" in again.detail


async def test_the_answer_to_another_browser_completes_nothing(signing: Signing) -> None:
    mine, theirs = await signing.flow.begin("/console/"), await signing.flow.begin("/console/")
    answer = query_of(await signing.answer(theirs))
    for cookie in (mine.cookie, "", theirs.cookie[:-1] + ("A" if theirs.cookie[-1] != "A" else "B")):
        assert (await failing(signing, answer, cookie)).kind == "stale"
    # Refused here, before the provider is asked.
    assert "state" in (await failing(signing, answer, mine.cookie)).detail
    assert (await signing.flow.complete(answer, theirs.cookie)).person.subject == "person-1"


async def test_a_cookie_of_another_service_is_none_of_ours(signing: Signing, idp: IdentityProvider) -> None:
    other = Signing(idp.issuer, key=b"x" * 32)
    begun = await other.flow.begin("/console/")
    answer = query_of(await other.answer(begun))
    assert (await failing(signing, answer, begun.cookie)).detail == "the browser has no sign-in that holds"
    await other.fetcher.close()


async def test_a_sign_in_that_takes_too_long_is_begun_again(signing: Signing) -> None:
    begun = await signing.flow.begin("/console/")
    answer = query_of(await signing.answer(begun))
    signing.times.moved = HOLDS_S
    assert (await failing(signing, answer, begun.cookie)).kind == "stale"


@pytest.mark.parametrize(
    ("of", "becomes", "kind", "detail"),
    [
        ("nonce", "another", "token", "its nonce is another one"),
        ("code_challenge", "A" * 43, "stale", "invalid_grant"),
        ("client_id", "another", "stale", "invalid_grant"),
    ],
)
async def test_a_sign_in_that_the_browser_changed_on_the_way_is_refused(
    signing: Signing, of: str, becomes: str, kind: str, detail: str
) -> None:
    begun = await signing.flow.begin("/console/")
    before = dict(query_of(begun.url))[of]
    answer = await signing.answer(begun, lambda url: url.replace(f"{of}={before}", f"{of}={becomes}"))
    failed = await failing(signing, query_of(answer), begun.cookie)
    assert failed.kind == kind
    assert detail in failed.detail


@pytest.mark.parametrize("change", ["other", "none", "twice"])
async def test_an_answer_that_is_not_of_this_provider_is_refused_before_its_code_is_sent(
    signing: Signing, change: str
) -> None:
    begun = await signing.flow.begin("/console/")
    answer = query_of(await signing.answer(begun))
    others = [(name, value) for name, value in answer if name != "iss"]
    changed = {
        "other": [*others, ("iss", "http://127.0.0.1:1")],
        "none": others,
        "twice": [*answer, ("code", "x")],
    }[change]
    assert (await failing(signing, changed, begun.cookie)).kind == "stale"
    assert (await signing.flow.complete(answer, begun.cookie)).person.subject == "person-1"


async def test_a_token_that_has_expired_lets_no_one_in(signing: Signing, idp: IdentityProvider) -> None:
    idp.control(options={"idTokenSeconds": 1})
    begun = await signing.flow.begin("/console/")
    answer = query_of(await signing.answer(begun))
    signing.times.moved = 100
    failed = await failing(signing, answer, begun.cookie)
    assert failed.detail == "the ID token has expired, or has no end"


async def test_the_provider_changes_its_keys_while_this_service_runs(signing: Signing, idp: IdentityProvider) -> None:
    await signing.sign_in()
    for algorithm in ("ES256", "RS256"):
        idp.control(rotate=algorithm)
        with pytest.raises(SignInFailed, match="the provider has no key"):
            await signing.sign_in()
        signing.times.moved += int(AGAIN_S) + 1
        assert (await signing.sign_in()).subject == "person-1"


async def test_a_provider_that_is_away_says_so_and_comes_back(signing: Signing, idp: IdentityProvider) -> None:
    begun = await signing.flow.begin("/console/")
    answer = query_of(await signing.answer(begun))
    idp.control(isAway=True)
    failed = await failing(signing, answer, begun.cookie)
    assert (failed.kind, failed.status) == ("provider", 502)
    signing.times.moved = int(KEPT_S) + 1
    with pytest.raises(SignInFailed, match="was answered 503"):
        await signing.flow.begin("/console/")
    idp.control(isAway=False)
    signing.times.moved = 0
    assert (await signing.sign_in()).subject == "person-1"


async def test_a_person_whom_the_provider_does_not_let_in_reads_why(signing: Signing, idp: IdentityProvider) -> None:
    idp.control(options={"declines": True})
    begun = await signing.flow.begin("/console/")
    failed = await failing(signing, query_of(await signing.answer(begun)), begun.cookie)
    assert (failed.kind, failed.quoted) == ("declined", "access_denied: Not <b>today</b>.")


async def test_a_wrong_secret_or_none_gets_no_token(idp: IdentityProvider) -> None:
    for secret in ("wrong", None):
        other = Signing(idp.issuer, secret)
        with pytest.raises(SignInFailed, match="invalid_client"):
            await other.sign_in()
        await other.fetcher.close()


async def test_an_issuer_must_be_spelled_as_the_provider_spells_it(idp: IdentityProvider) -> None:
    other = Signing(f"{idp.issuer}/")
    with pytest.raises(SignInFailed, match="letter by letter"):
        await other.sign_in()
    await other.fetcher.close()


async def test_signing_out_at_the_provider_comes_back_here(signing: Signing, idp: IdentityProvider) -> None:
    url = await signing.flow.signing_out("http://127.0.0.1:9/console/openid/signed-out")
    assert url is not None
    assert url.startswith(f"{idp.issuer}/session/end?")
    assert dict(query_of(url)) == {
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": "http://127.0.0.1:9/console/openid/signed-out",
        "state": "signed-out",
    }
