"""Files are shared out so that callers, however many, leave enough for what the server does by itself."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from leasebook.config.load import Settings, load_settings
from leasebook.server.descriptors import CONNECTIONS_MIN, TooFewFiles, planned
from leasebook.server.factories import places_of
from tests.ports import free_port

CANNOT_START = 2
NONE, PROCESS = frozenset({"instant"}), frozenset({"process", "instant"})


def settings_of(**given: int) -> Settings:
    return load_settings(None, {f"LEASEBOOK_{name.upper()}": str(value) for name, value in given.items()})


def test_callers_and_what_is_passed_on_for_them_fit_beside_what_is_kept() -> None:
    for engines, files in product((NONE, PROCESS), (600, 1024, 4096, 20_000, 1 << 20)):
        plan = planned(settings_of(), engines, files)
        assert plan.kept + plan.connections + plan.upstream <= files
        assert plan.deliveries < plan.kept
    assert planned(settings_of(), PROCESS, 1 << 20).connections == 10_000
    assert planned(settings_of(), PROCESS, 1024).connections < planned(settings_of(), NONE, 1024).connections


def test_what_is_set_counts_as_far_as_there_are_files() -> None:
    assert planned(settings_of(http_connections_max=50), PROCESS, 4096).connections == 50
    assert planned(settings_of(http_connections_max=50_000), PROCESS, 4096).connections < 2048
    more = planned(settings_of(webhook_attempts_max=512, webhook_slow_attempts_max=512), NONE, 4096)
    assert more.kept - planned(settings_of(), NONE, 4096).kept >= 512 + 512 - 4096 // 8
    assert places_of(settings_of(), more).all_max == more.deliveries >= 1024


def test_too_few_files_are_refused_with_how_many_there_must_be() -> None:
    with pytest.raises(TooFewFiles) as refused:
        planned(settings_of(), PROCESS, 256)
    (files, needed) = map(int, re.findall(r"(?:open|needs) (\d+)", str(refused.value)))
    assert files == 256
    assert planned(settings_of(), PROCESS, needed).connections == CONNECTIONS_MIN
    with pytest.raises(TooFewFiles):
        planned(settings_of(), PROCESS, needed - 1)


def test_a_server_with_too_few_files_does_not_start(tmp_path: Path) -> None:
    few = ("prlimit", "--nofile=200:200", sys.executable, "-m", "leasebook")
    given = ("serve", "--data", str(tmp_path / "data"), "--port", str(free_port()))
    done = subprocess.run([*few, *given], capture_output=True, text=True, check=False)
    assert done.returncode == CANNOT_START
    (line,) = done.stderr.splitlines()
    assert "may open 200 files" in line
    assert not (tmp_path / "data").exists(), "nothing was touched"
