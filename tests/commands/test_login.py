"""Profiles: written by ``login`` with the secret unseen, used by every command, readable by their owner only."""

from __future__ import annotations

import stat
from pathlib import Path

import pexpect
import pytest

from leasebook.cli.commands.profiles.files import put, read, remove
from leasebook.client.connection import connection
from leasebook.client.errors import ConfigurationError
from tests.commands.conftest import Run, Spawn
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer

NO_KEYS = {"LEASEBOOK_CLIENT_ACCESS_KEY": "", "LEASEBOOK_CLIENT_SECRET_KEY": "", "LEASEBOOK_CLIENT_URL": ""}


def profiles(variables: dict[str, str]) -> Path:
    return Path(variables["XDG_CONFIG_HOME"]) / "leasebook" / "config.toml"


def test_login_asks_in_a_terminal_and_shows_no_secret(
    spawn: Spawn, run: Run, server: ConformanceServer, variables: dict[str, str]
) -> None:
    child = spawn("login", **NO_KEYS)
    child.expect("Address of the service")
    child.sendline(server.base_url)
    child.expect("Access key")
    child.sendline(ACCESS_KEY)
    child.expect("not shown")
    child.sendline(SECRET_KEY)
    child.expect("has the profile default")
    child.expect(pexpect.EOF)
    assert SECRET_KEY not in (child.before or "")
    path = profiles(variables)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read(path) == {
        "default": {"url": server.base_url, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY},
    }
    run("clock", **NO_KEYS)
    run("clock", "--profile", "default", **NO_KEYS)
    run("logout", **NO_KEYS)
    assert "leasebook login" in run("clock", code=2, **NO_KEYS).stderr
    assert "has no profile" in run("logout", code=1, **NO_KEYS).stderr


def test_login_reads_the_secret_from_a_pipe_and_tries_it_first(
    run: Run, server: ConformanceServer, variables: dict[str, str]
) -> None:
    arguments = ("login", "--profile", "ci", "--url", server.base_url, "--access-key", ACCESS_KEY)
    refused = run(*arguments, given="another-secret-of-32-letters-xyz\n", code=6, **NO_KEYS)
    assert "SignatureDoesNotMatch" in refused.stderr
    assert not profiles(variables).exists()
    run(*arguments, given=f"{SECRET_KEY}\n", **NO_KEYS)
    run("clock", "--profile", "ci", **NO_KEYS)
    assert "has no profile 'nothere'" in run("clock", "--profile", "nothere", code=2, **NO_KEYS).stderr
    assert "--access-key is missing" in run("login", "--url", server.base_url, code=2, **NO_KEYS).stderr
    assert "no secret" in run(*arguments, given="", code=2, **NO_KEYS).stderr


def test_other_profiles_stay_whatever_is_in_them(tmp_path: Path) -> None:
    path = tmp_path / "leasebook" / "config.toml"
    strange = {"url": "https://x.example/y", "access_key": "a\"\\'é\x7f\n", "secret_key": "= [x]"}
    put(path, "a.b c", strange)
    put(path, "default", {"url": "http://127.0.0.1:1"})
    assert read(path) == {"a.b c": strange, "default": {"url": "http://127.0.0.1:1"}}
    found = connection(profile="a.b c", environment={"XDG_CONFIG_HOME": str(tmp_path)})
    assert found.keys.secret_key == "= [x]"
    assert remove(path, "default")
    assert not remove(path, "default")
    assert read(path) == {"a.b c": strange}
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("text", ["not toml", "x = 1", "[a]\nx = 1"])
def test_a_file_that_is_not_ours_is_left_as_it_is(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        put(path, "default", {"url": "x"})
    assert path.read_text() == text
