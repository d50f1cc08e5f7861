"""Signing in to the console with a certified identity provider, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from leasebook.config.load import BadSettings
from leasebook.console.openid.pages import COOKIE
from leasebook.console.routes import SESSION_COOKIE
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser, Shown
from tests.api.scene import ACCOUNT, IAM, ServiceHarness, a_scene
from tests.console.identity_provider import CLIENT_ID, SECRET, IdentityProvider, RedirectFollower, running
from tests.copies import STORES, copy_of

READ: Final = "QianfanReadAccessPolicy"
OPERATE: Final = "QianfanServiceOperateAccessPolicy"
OPERATOR: Final = "LeasebookOperatorPolicy"
PUBLIC: Final = "http://127.0.0.1:9"
CALLBACK: Final = f"{PUBLIC}/console/openid/callback"
GROUPS: Final = f"readers={READ}; ml team={READ}+{OPERATE}; ops={OPERATOR}"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with running(CALLBACK) as started:
        yield started


def settings_for(provider: IdentityProvider) -> dict[str, str]:
    return {
        "LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000",
        "LEASEBOOK_CONSOLE_OPENID_ISSUER": provider.issuer,
        "LEASEBOOK_CONSOLE_OPENID_CLIENT_ID": CLIENT_ID,
        "LEASEBOOK_CONSOLE_OPENID_CLIENT_SECRET": SECRET,
        "LEASEBOOK_CONSOLE_OPENID_GROUPS": GROUPS,
        "LEASEBOOK_CONSOLE_OPENID_SCOPES": "openid profile groups",
        "LEASEBOOK_PUBLIC_URL": PUBLIC,
    }


@pytest.fixture(scope="module", params=STORES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider
) -> Iterator[ServiceHarness]:
    directory = tmp_path_factory.mktemp("openid") / "data"
    with a_copy(request, directory, environment=settings_for(provider)) as made:
        yield made


def sent_back(inside: Browser, start: str = "/console/openid/start") -> str:
    """Begin a sign-in, sign in at the provider, and return the address to which it sends the browser back."""
    page = inside.get(start)
    assert page.status == 303, page.text
    with RedirectFollower() as outside:
        back = outside.follow(page.location, CALLBACK)
    return back.removeprefix(PUBLIC)


def sign_in(
    scene: ServiceHarness, provider: IdentityProvider, start: str = "/console/openid/start", **person: Any
) -> tuple[Browser, Shown]:
    provider.person(**{"name": "Li Lei", "groups": []} | person)
    inside = Browser(scene)
    return inside, inside.get(sent_back(inside, start))


def user_of(scene: ServiceHarness, subject: str, *, deleted: bool = False) -> Any:
    users = scene.operator.do(IAM, "DescribeUsers", {"includeDeleted": deleted})["users"]
    return next(user for user in users if "openId" in user and user["openId"]["subject"] == subject)


def test_the_page_of_signing_in_offers_it_and_leads_back_to_the_page_that_was_wanted(
    scene: ServiceHarness, provider: IdentityProvider
) -> None:
    page = Browser(scene).get("/console/sign-in?next=/units%3Ftype%3Dgpu-1")
    assert 'href="/console/openid/start?next=%2Funits%3Ftype%3Dgpu-1"' in page.text
    inside, page = sign_in(scene, provider, "/console/openid/start?next=%2Funits%3Ftype%3Dgpu-1", sub="goes on")
    assert (page.status, page.location) == (303, "/console/units?type=gpu-1")
    assert inside.cookies.get(COOKIE, "") == ""
    for elsewhere in ("//evil.example", "https://evil.example", "/%5Cevil.example", ""):
        page = sign_in(scene, provider, f"/console/openid/start?next={elsewhere}", sub="goes on")[1]
        assert page.location == "/console/", elsewhere


def test_a_wrong_password_is_refused_beside_the_button_of_the_provider(scene: ServiceHarness) -> None:
    browser = Browser(scene)
    wrong = {"login": "no-one", "password": "wrong password"}
    page = browser.post("/console/sign-in", browser.get("/console/sign-in").form("/console/sign-in") | wrong)
    assert (page.status, "do not belong together" in page.words()) == (403, True)
    assert 'href="/console/openid/start"' in page.text


def test_a_first_sign_in_has_no_rights_at_all(scene: ServiceHarness, provider: IdentityProvider) -> None:
    inside, page = sign_in(scene, provider, sub="newcomer", groups=["strangers", "LeasebookOperatorPolicy"])
    assert (page.status, page.location) == (303, "/console/")
    assert inside.get("/console").status == 200
    user = user_of(scene, "newcomer")
    assert (user["policies"], user["isRoot"], user["accessKeys"]) == ([], False, [])
    identity = scene.runner.run(scene.running.console.parts.calls.identity(user["userId"]))  # type: ignore[union-attr]
    assert identity.policies == frozenset()


def test_groups_are_those_of_the_last_sign_in_and_operators_only_those_of_the_mapping(
    scene: ServiceHarness, provider: IdentityProvider
) -> None:
    for groups, policies in (
        (["ml team"], [READ, OPERATE]),
        (["ops", "readers"], [READ, OPERATOR]),
        (["readers"], [READ]),
        ([], []),
    ):
        assert sign_in(scene, provider, sub="comes and goes", groups=groups)[1].status == 303
        assert sorted(user_of(scene, "comes and goes")["policies"]) == sorted(policies)


def test_the_audit_log_and_the_metrics_have_each_sign_in_and_the_books_hold(
    scene: ServiceHarness, provider: IdentityProvider
) -> None:
    sign_in(scene, provider, sub="noted")
    user = user_of(scene, "noted")
    entries = scene.operator.do(ACCOUNT, "DescribeAuditLog", {"userId": user["userId"]})["entries"]
    assert [(one["action"], one["code"], one["path"]) for one in entries] == [("SignIn", "OK", "/console")]
    metrics = scene.running.metrics.render()[0].decode()
    assert 'leasebook_console_sign_ins_total{how="openid",outcome="ok"}' in metrics
    assert check_store(scene.where).findings == []


def test_a_deleted_user_does_not_come_back(scene: ServiceHarness, provider: IdentityProvider) -> None:
    inside, _ = sign_in(scene, provider, sub="leaves")
    user = user_of(scene, "leaves")
    scene.operator.do(IAM, "DeleteUser", {"userId": user["userId"]})
    assert inside.get("/console").status == 303
    page = sign_in(scene, provider, sub="leaves", groups=["ops"])[1]
    assert page.status == 403
    assert "was deleted here" in page.words()
    assert user_of(scene, "leaves", deleted=True)["policies"] == []


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(
    scene: ServiceHarness, provider: IdentityProvider
) -> None:
    provider.person(sub="once", groups=[])
    inside, other = Browser(scene), Browser(scene)
    back = sent_back(inside)
    assert other.get(back).status == 400
    assert SESSION_COOKIE not in other.cookies
    kept = inside.cookies[COOKIE]
    assert inside.get(back).status == 303
    again = Browser(scene)
    again.cookies[COOKIE] = kept
    page = again.get(back)
    assert page.status == 400
    assert "Begin again" in page.words()
    assert SESSION_COOKIE not in again.cookies


def test_a_failure_is_a_page_with_the_providers_words_in_both_languages(
    scene: ServiceHarness, provider: IdentityProvider
) -> None:
    provider.control(options={"declines": True})
    try:
        for language, words in (("en", "did not let you in"), ("zh-CN", "身份提供方")):
            inside = Browser(scene, language=language)
            page = inside.get(sent_back(inside))
            assert page.status == 403
            assert words in page.words()
            assert "access_denied: Not &lt;b&gt;today&lt;/b&gt;." in page.text
    finally:
        provider.control(options={"declines": False})
    provider.control(isAway=True)
    try:
        inside = Browser(scene)
        assert inside.get("/console/openid/callback?state=x&code=y").status == 400
    finally:
        provider.control(isAway=False)


def test_signing_out_ends_the_session_and_offers_to_end_the_providers(
    scene: ServiceHarness, provider: IdentityProvider
) -> None:
    inside, _ = sign_in(scene, provider, sub="signs out")
    fields = inside.get("/console").form("/console/sign-out")
    session = inside.cookies[SESSION_COOKIE]
    page = inside.post("/console/sign-out", fields)
    assert (page.status, page.location) == (303, "/console/openid/signed-out")
    inside.cookies[SESSION_COOKIE] = session
    assert inside.get("/console").status == 303
    page = inside.get("/console/openid/signed-out")
    address = page.text.partition(f'href="{provider.issuer}/session/end?')[2].partition('"')[0].replace("&amp;", "&")
    asked = dict(parse_qsl(address))
    assert asked["post_logout_redirect_uri"] == f"{PUBLIC}/console/openid/signed-out"
    after = urlsplit(asked["post_logout_redirect_uri"]).path
    assert "here and at the identity provider" in inside.get(f"{after}?state={asked['state']}").words()


def test_an_account_that_is_not_there_stops_the_start_and_one_that_is_gets_the_users(
    opened: Path, provider: IdentityProvider, tmp_path: Path
) -> None:
    settings = settings_for(provider)
    with copy_of(Target(opened), tmp_path / "data") as where:
        unknown = settings | {"LEASEBOOK_CONSOLE_OPENID_ACCOUNT": "nowhere"}
        with (
            pytest.raises(BadSettings, match="this store has no account 'nowhere'"),
            a_scene(where, environment=unknown),
        ):
            pass
        with a_scene(where, environment=settings) as first:
            account_id = first.customer().account_id()
        known = settings | {"LEASEBOOK_CONSOLE_OPENID_ACCOUNT": account_id}
        with a_scene(where, environment=known) as second:
            sign_in(second, provider, sub="of the customer")
            users = second.operator.do(IAM, "DescribeUsers", {"accountId": account_id})["users"]
            assert [one["openId"]["subject"] for one in users if "openId" in one] == ["of the customer"]
