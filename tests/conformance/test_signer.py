"""The signer of bce-python-sdk covers a body and a nonce where it is given them; the official client cannot."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests import forked
from tests.conformance.programs import Program
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer
from tests.conformance.toolchains import VENV, Toolchain

pytestmark = pytest.mark.conformance

SIGNER = Path(__file__).parent / "python" / "signer.py"


def environment(server: ConformanceServer) -> dict[str, str]:
    keys = {"QIANFAN_ACCESS_KEY": ACCESS_KEY, "QIANFAN_SECRET_KEY": SECRET_KEY}
    return {"PATH": os.environ["PATH"], "QIANFAN_CONSOLE_API_BASE_URL": server.base_url, **keys}


def signed_twice(server: ConformanceServer, path: str, action: str, body: Any) -> list[tuple[int, Any]]:
    """Send one signed request two times."""
    command = [str(VENV / "bin" / "python"), str(SIGNER), path, action, json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(server), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def ruled(server: ConformanceServer, requires: list[str]) -> None:
    """Have our own command line, which signs both, set the rule of the key that all of them use."""
    body = json.dumps({"accessKeyId": ACCESS_KEY, "requires": requires})
    done = forked.run(["call", "/v2/iam", "SetKeyRules", body], env=environment(server), timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_signer_of_the_bce_kit_meets_the_rule_and_the_official_client_does_not(
    untouched_server: ConformanceServer, python_client: Toolchain, tmp_path: Path
) -> None:
    official = Program(python_client, untouched_server.base_url, tmp_path)
    assert official.run("charge-wrappers")["service-list"].ok
    ruled(untouched_server, ["SignedBody", "Nonce"])
    (first, answer), (second, again) = signed_twice(untouched_server, "/v2/account", "DescribeAccount", {})
    assert (first, second) == (200, 403), (answer, again)
    assert again["code"] == "RequestReplayed"
    assert "SignatureTooWeak" in official.run("charge-wrappers")["service-list"].error
    ruled(untouched_server, [])
    assert official.run("charge-wrappers")["service-list"].ok
