"""Tests that only the official Go client needs."""

import subprocess

import pytest
from tests.conformance.toolchains import HERE, Toolchain

pytestmark = pytest.mark.conformance


def test_the_go_client_is_the_published_one(go_client: Toolchain) -> None:
    assert go_client.name == "go"
    done = subprocess.run(["go", "mod", "verify"], cwd=HERE / "go", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "all modules verified"), done.stderr
    assert "replace" not in (HERE / "go" / "go.mod").read_text()
