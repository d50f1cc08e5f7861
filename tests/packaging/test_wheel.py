"""The wheel without extras is contract and commands for callers; with ``server`` it is the whole server."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.packaging.installed import environment, install, run

KEYS = ["--access-key", "AKEXAMPLE", "--secret-key", "secret-of-the-example"]
CALL = ["/v2/computeunit", "DescribeComputeUnits", "{}", *KEYS]


def test_the_wheel_without_extras_signs_and_says_what_a_server_needs(wheel: Path, tmp_path: Path) -> None:
    programs, here = install(wheel, tmp_path / "venv", ""), tmp_path / "here"
    here.mkdir()
    signed = run([programs / "leasebook", "sign", *CALL], here)
    assert (signed.returncode, signed.stderr) == (0, "")
    assert signed.stdout.startswith("Authorization: bce-auth-v1/AKEXAMPLE/")
    called = run([programs / "leasebook", "call", *CALL, "--url", "http://127.0.0.1:1"], here)
    assert (called.returncode, called.stdout) == (3, "")
    assert "Nothing was sent." in called.stderr
    for command in ("serve", "tour"):
        refused = run([programs / "leasebook", command], here)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1), refused.stderr
        assert refused.stderr.startswith(f"leasebook: {command} ")
        assert "sqlalchemy" in refused.stderr
        assert refused.stderr.endswith("Run: pip install 'leasebook[server]'\n")
    assert run([programs / "leasebook", "serve", "--help"], here).returncode == 0
    assert list(here.iterdir()) == []


def test_the_wheel_with_the_servers_packages_serves(wheel: Path, tmp_path: Path) -> None:
    programs = install(wheel, tmp_path / "venv", "server")
    command: list[str | Path] = [programs / "leasebook", "serve", "--port", "0", "--data", tmp_path / "data"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any(line.startswith("Leasebook serves on ") for line in server.stdout)
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode == 0
