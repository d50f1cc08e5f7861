"""Where the address and the keys come from, and the refusals of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from leasebook.client import ConfigurationError
from leasebook.client.connection import Connection, connection

HERE = {"LEASEBOOK_CLIENT_ACCESS_KEY": "ENV", "LEASEBOOK_CLIENT_SECRET_KEY": "env-secret"}
CLOUD = {
    "QIANFAN_ACCESS_KEY": "CLOUD",
    "QIANFAN_SECRET_KEY": "cloud-secret",
    "QIANFAN_CONSOLE_API_BASE_URL": "https://cloud.test",
}
PROFILE = '[default]\nurl = "http://saved.test"\naccess_key = "SAVED"\nsecret_key = "saved-secret"\n[other]\nurl = "http://o.test"\n'


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def save(home: dict[str, str], text: str, mode: int = 0o600) -> Path:
    path = Path(home["HOME"]) / ".config" / "leasebook" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def seen(found: Connection) -> tuple[str, str]:
    return found.keys.url, found.keys.access_key


def test_arguments_go_before_the_environment_and_that_before_a_profile(home: dict[str, str]) -> None:
    save(home, PROFILE)
    assert seen(connection(environment=home)) == ("http://saved.test", "SAVED")
    assert seen(connection(environment=home | CLOUD)) == ("https://cloud.test", "CLOUD")
    assert seen(connection(environment=home | CLOUD | HERE)) == ("https://cloud.test", "ENV")
    found = connection("http://given.test", "GIVEN", "given-secret", environment=home | CLOUD)
    assert seen(found) == ("http://given.test", "GIVEN")
    assert found.sources == {"url": "argument", "access_key": "argument", "secret_key": "argument"}


def test_a_profile_that_is_named_goes_before_the_environment(home: dict[str, str]) -> None:
    path = save(home, PROFILE)
    found = connection(profile="default", environment=home | CLOUD)
    assert seen(found) == ("http://saved.test", "SAVED")
    assert found.sources["secret_key"] == f"profile default of {path}"


def test_half_a_key_of_the_environment_is_not_completed_from_a_profile(home: dict[str, str]) -> None:
    save(home, PROFILE)
    with pytest.raises(ConfigurationError, match="secret_key"):
        connection(environment=home | {"LEASEBOOK_CLIENT_ACCESS_KEY": "ENV"})


def test_without_anything_the_text_says_what_to_give(home: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"access_key .*LEASEBOOK_CLIENT_ACCESS_KEY.*config\.toml"):
        connection(environment=home)


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("[default]\nurl = 3\n", 0o600, "line 2: url of the profile default must be a text"),
        ('[default]\n\nsecret = "x"\n', 0o600, "line 3: secret of the profile default is not known; allowed are url"),
        ("[default\n", 0o600, "is no TOML: .*line 1"),
        (PROFILE, 0o640, "others may read it: chmod 600"),
        ("default = 1\n", 0o600, "must be a table"),
    ],
)
def test_a_wrong_file_of_profiles_is_named_with_the_line(home: dict[str, str], text: str, mode: int, why: str) -> None:
    save(home, text, mode)
    with pytest.raises(ConfigurationError, match=why):
        connection(environment=home)


def test_a_profile_that_is_not_there_is_refused_with_those_that_are(home: dict[str, str]) -> None:
    save(home, PROFILE)
    with pytest.raises(ConfigurationError, match="no profile 'third'; it has default, other"):
        connection(profile="third", environment=home)


def test_an_address_that_is_none_is_refused(home: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="argument"):
        connection("ftp://x", "AK", "secret", environment=home)
