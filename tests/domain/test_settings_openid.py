"""The settings of signing in with an identity provider: bad ones stop the start."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from leasebook.config.load import BadSettings, given, load_settings
from leasebook.config.sections.openid import groups_of
from tests.domain.test_settings import refusal

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "sign-in-with-openid.md"
READ = "QianfanReadAccessPolicy"
OPERATE = "QianfanServiceOperateAccessPolicy"
WHOLE = {
    "LEASEBOOK_CONSOLE_OPENID_ISSUER": "https://login.example.com",
    "LEASEBOOK_CONSOLE_OPENID_CLIENT_ID": "leasebook",
    "LEASEBOOK_PUBLIC_URL": "https://units.example.com",
}


@pytest.mark.parametrize(
    ("issuer", "hint"),
    [
        ("http://login.example.com", "http:// is only for this machine"),
        ("ftp://login.example.com", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://a b.example", "visible ASCII"),
        ("https://user@login.example.com", "no user"),
        ("https://login.example.com/#x", "no fragment"),
        ("https://login.example.com/?tenant=1", "no query"),
        ("https://login.example.com:0", "begins with https://"),
        ("login.example.com", "begins with https://"),
    ],
)
def test_an_issuer_is_an_address_that_secrets_may_go_to(issuer: str, hint: str) -> None:
    assert hint in refusal(None, {"LEASEBOOK_CONSOLE_OPENID_ISSUER": issuer})


def test_groups_are_read_with_their_policies() -> None:
    text = f"ml={READ}+{OPERATE}; cn=ops,ou=x={READ} ;a%3Bb%25={READ};"
    assert groups_of(text) == {"ml": (READ, OPERATE), "cn=ops,ou=x": (READ,), "a;b%": (READ,)}
    assert groups_of("") == {}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ml", "each part is GROUP=POLICY"),
        (f"={READ}", "each part is GROUP=POLICY"),
        ("ml=", "there is no policy ''"),
        ("ml=QianfanReadAccesPolicy", f"did you mean {READ}?"),
        (f"ml={READ}; ml={OPERATE}", "the group ml is there twice"),
        (f"a%ZZ={READ}", "hexadecimal"),
        (";".join(f"g{number}={READ}" for number in range(201)), "at most 200 groups"),
    ],
)
def test_groups_that_are_not_understood_are_refused(text: str, hint: str) -> None:
    assert hint in refusal(None, {"LEASEBOOK_CONSOLE_OPENID_GROUPS": text})


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"LEASEBOOK_CONSOLE_OPENID_CLIENT_ID": ""}, "needs console.openid_client_id"),
        ({"LEASEBOOK_PUBLIC_URL": ""}, "needs public_url, which is not set"),
        ({"LEASEBOOK_PUBLIC_URL": "http://units.example.com"}, "needs a public_url with https://"),
    ],
)
def test_a_server_that_lacks_something_for_it_does_not_start(changed: dict[str, str], problem: str) -> None:
    given(load_settings(None, WHOLE), {})
    given(load_settings(None, WHOLE | {"LEASEBOOK_PUBLIC_URL": "http://127.0.0.1:8000"}), {})
    with pytest.raises(BadSettings, match=problem):
        given(load_settings(None, WHOLE | changed), {})


def test_the_secret_of_the_client_is_not_shown() -> None:
    settings = load_settings(None, {"LEASEBOOK_CONSOLE_OPENID_CLIENT_SECRET": "a secret: 100%"})
    assert settings.console_openid_client_secret is not None
    assert settings.console_openid_client_secret.reveal() == "a secret: 100%"
    assert "secret: 100%" not in repr(settings)


def test_the_examples_of_the_page_are_settings_that_a_server_starts_with(tmp_path: Path) -> None:
    found = [textwrap.dedent(block) for block in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    assert len(found) == 2
    for number, text in enumerate(found):
        config = tmp_path / f"{number}.toml"
        config.write_text(text)
        given(load_settings(config, {} if number == 0 else WHOLE), {})
    mapping = load_settings(config, {}).console_openid_groups
    assert groups_of(mapping)["platform"] == ("LeasebookOperatorPolicy",)
