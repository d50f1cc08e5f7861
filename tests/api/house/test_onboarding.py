"""The five teams of the how-to are set up by its file, in one run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.house.conftest import Applying, applying
from tests.api.scene import ACCOUNT, ServiceHarness

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "onboard-teams.md"
TEAMS = ("vision", "speech", "search", "robots", "finance")


def test_five_teams_are_one_file_of_under_sixty_lines(lone_house: Applying) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(text.splitlines()) < 60
    variables = {"TEAM_HOOK": "a1b2c3"}
    done = lone_house.apply(text, **variables)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert "a1b2c3" not in done.output
    assert lone_house.plan(text, "--prune", **variables).exit_code == 0
    secrets = {one["secretOf"]: one for one in lone_house.secrets()}
    assert len(lone_house.secrets()) == len(TEAMS) + 6 + 3
    for team in TEAMS:
        root = lone_house.scene.caller(secrets[f"key of root user of account {team}"])
        assert root.do(ACCOUNT, "DescribeAccount")["name"] == team
    worker = lone_house.scene.caller(secrets["key of user robots-ci of account robots"])
    assert worker.balance() == "5000.00"
    for _ in range(2):
        bought = worker.ask("/v2/computeunit", "PurchaseComputeUnit", _one_gpu())
    assert (bought.code, "userUnits" in bought.body["message"]) == ("QuotaExceeded", True)
    reports = lone_house.scene.caller(secrets["key of user reports of account finance"])
    assert len(reports.do("/v2/iam", "DescribeAccounts")["accounts"]) >= len(TEAMS)


def test_an_export_sets_up_an_empty_service(
    lone_house: Applying, fresh: ServiceHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert lone_house.apply(text, TEAM_HOOK="a1b2c3").exit_code == 0
    exported = lone_house.run("export").stdout
    (tmp_path / "empty").mkdir()
    empty = applying(fresh, tmp_path / "empty", monkeypatch)
    done = empty.apply(exported)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert empty.plan(exported, "--prune").exit_code == 0
    assert empty.run("export").stdout == exported


def _one_gpu() -> object:
    return {
        "billing": {"paymentTiming": "Postpaid"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
