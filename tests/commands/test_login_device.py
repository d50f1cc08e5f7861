"""``login --device``: a person confirms the code at the console, and the machine's profile has a key of that person."""

from __future__ import annotations

import platform
import re
import stat
from pathlib import Path

import httpx2
import pytest

from leasebook.cli.commands.profiles.files import read
from tests import forked
from tests.client.test_device import press
from tests.commands.conftest import Run
from tests.conformance.server import ConformanceServer, _environment

NO_KEYS = {"LEASEBOOK_CLIENT_ACCESS_KEY": "", "LEASEBOOK_CLIENT_SECRET_KEY": "", "LEASEBOOK_CLIENT_URL": ""}


def test_a_machine_gets_a_profile_by_a_code_that_a_person_confirms(
    run: Run,
    server: ConformanceServer,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = forked.run(["console", *server.store, "--url", server.base_url], env=_environment(), timeout=60)
    words = iter(("approve", "refuse"))
    shown: list[str] = []
    monkeypatch.setattr("leasebook.cli.commands.profiles.login._show", lambda code: shown.append(code.whole))
    with httpx2.Client(trust_env=False, follow_redirects=True, timeout=30) as browser:
        press(browser, printed.stdout.strip(), {})

        def decide(_: float) -> None:
            code = re.sub(r".*code=", "", shown[-1])
            press(browser, shown[-1], {"code": code, "answer": next(words)})

        monkeypatch.setattr("leasebook.client.device.time.sleep", decide)
        arguments = ("login", "--device", "--profile", "laptop", "--url", server.base_url)
        run(*arguments, **NO_KEYS)
        path = Path(variables["XDG_CONFIG_HOME"]) / "leasebook" / "config.toml"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        users = run("users", "list", "--profile", "laptop", "--output", "json", **NO_KEYS).stdout
        assert read(path)["laptop"]["access_key"] in users
        assert platform.node() in users
        refused = run(*arguments, code=1, **NO_KEYS)
        assert "The person refused" in refused.stderr
    assert "one of the two" in run(*arguments, "--access-key", "AK", code=2, **NO_KEYS).stderr
