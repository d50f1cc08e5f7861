"""The commands against a real service, as programs run them: nothing is a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from leasebook.cli.commands.calling.session import Session
from leasebook.cli.commands.profiles.files import put
from leasebook.contract.action import Action
from leasebook.contract.policies import POLICY_NAMES
from tests.commands.conftest import Run

Asked = Callable[..., Any]


def bought(asked: Asked, *more: str) -> str:
    return str(asked("units", "buy", "--type", "gpu-1", "--yes", *more)["instanceId"])


def unit(asked: Asked, instance: str) -> dict[str, Any]:
    return dict(asked("units", "show", instance)["computeUnitInstance"])


def test_a_unit_is_bought_extended_kept_and_released(asked: Asked, run: Run) -> None:
    instance = bought(asked, "--count", "2", "--release-in", "8h", "--tag", "team=vision", "--wait")
    first = unit(asked, instance)
    assert (first["status"], first["totalComputeUnits"], first["tags"]) == ("Running", 2, {"team": "vision"})
    longer = asked("units", "extend", instance, "--by", "2h")
    assert longer["releaseTime"] == unit(asked, instance)["releaseTime"]
    assert longer["releaseTime"] > first["releaseTime"]
    assert asked("units", "keep", instance) is True
    assert "releaseTime" not in unit(asked, instance)
    assert "no release time" in run("units", "extend", instance, "--by", "2h", code=2).stderr
    asked("units", "extend", instance, "--until", "tomorrow 18:00")
    assert unit(asked, instance)["releaseTime"].endswith("T18:00:00+08:00")
    asked("units", "schedule", instance, "+3d")
    assert asked("units", "release", instance, "--yes", "--wait")["status"] == "Released"


def test_a_purchase_without_a_terminal_needs_yes_and_changes_nothing_without(asked: Asked, run: Run) -> None:
    before = asked("orders")["orders"]
    refused = run("units", "buy", "--type", "gpu-1", "--release-in", "8h", code=2)
    assert "Give --yes" in refused.stderr
    tried = run("units", "buy", "--type", "gpu-1", "--count", "3", "--release-in", "8h", "--dry-run")
    assert json.loads(tried.stdout)["passed"] is True
    assert "3 gpu-1 in bj: 0.60 CNY a minute until" in tried.stderr
    assert "288.00 in all" in tried.stderr
    assert asked("orders")["orders"] == before


@pytest.mark.parametrize(
    "command",
    [
        ["units", "buy", "--type", "gpu-1", "--months", "5", "--auto-renew"],
        ["quota", "buy", "ernie-4.0-8k", "2"],
        ["accounts", "top-up", "12.50"],
        ["services", "buy", "SERVICE", "1"],
        ["units", "renew", "PREPAID", "--months", "2"],
        ["units", "resize", "PREPAID", "3"],
        ["units", "billing", "POSTPAID", "Prepaid", "--months", "1"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_dry_run_of_everything_that_costs_money_changes_nothing(command: list[str], asked: Asked, run: Run) -> None:
    things = {
        "PREPAID": lambda: bought(asked, "--months", "1"),
        "POSTPAID": lambda: bought(asked),
        "SERVICE": lambda: str(asked("services", "list")["serviceList"][0]["serviceId"]),
    }
    arguments = [things[one]() if one in things else one for one in command]
    balance, before = asked("accounts", "show")["balance"], asked("orders")["orders"]
    tried = run(*arguments, "--dry-run")
    assert tried.stderr.strip()
    assert json.loads(tried.stdout)
    assert "Give --yes" in run(*arguments, code=2).stderr
    assert asked("accounts", "show")["balance"] == balance
    assert asked("orders")["orders"] == before


def test_a_dry_run_says_what_would_be_refused(run: Run) -> None:
    tried = run("units", "buy", "--type", "gpu-1", "--count", "99999", "--dry-run", code=1)
    assert "InsufficientStock" in tried.stderr


def test_a_dry_run_of_a_change_says_what_would_be_refused(run: Run, asked: Asked) -> None:
    prepaid = bought(asked, "--months", "1")
    renewed = run("units", "renew", prepaid, "--months", "2", "--dry-run")
    assert f"The renewal of {prepaid} to " in renewed.stderr
    assert {one["rule"] for one in json.loads(renewed.stdout)["verdicts"]} >= {"state", "balance", "spend", "end"}
    never = run("units", "renew", bought(asked), "--months", "2", "--dry-run", code=1, LEASEBOOK_LANG="zh")
    assert "续费到" not in never.stderr
    assert "OperationNotSupported" in never.stderr
    turned = run("units", "billing", prepaid, "Postpaid", "--dry-run")
    assert f"{prepaid} is paid by the minute when its term ends, " in turned.stderr
    long = run("units", "billing", bought(asked), "Prepaid", "--months", "1", "--dry-run")
    assert "is paid in advance to " in long.stderr
    assert {one["rule"] for one in json.loads(long.stdout)["verdicts"]} >= {"state", "balance", "spend", "end"}
    again = run("units", "billing", prepaid, "Prepaid", "--months", "1", "--dry-run", code=1)
    assert "is paid Prepaid already" in again.stderr
    many = run("units", "resize", prepaid, "99999", "--dry-run", code=1)
    assert "InsufficientStock" in many.stderr
    few = run("units", "resize", prepaid, "1", "--dry-run", code=1, LEASEBOOK_LANG="zh")
    assert f"InvalidState: {prepaid} 已有 1 个算力单元。" in few.stderr
    table = run("units", "resize", prepaid, "99999", "--dry-run", "-o", "table", code=1, LEASEBOOK_LANG="zh")
    assert "请减少数量" in table.stdout
    assert table.stderr == "leasebook: " + table.stderr.removeprefix("leasebook: ").splitlines()[0] + "\n"


def test_a_mistake_is_answered_with_what_was_probably_meant(run: Run) -> None:
    option = run("units", "buy", "--typ", "gpu-1", code=2).stderr
    assert "'--type'" in option
    assert "--output" not in option
    assert "Do you mean tomorrow?" in run("units", "schedule", "unit-1", "tomorow 18:00", code=2).stderr
    extra = run("users", "create", "alice", code=2).stderr
    assert "alice is one value too many" in extra
    assert "--name" in extra
    unknown = run("units", "show", "unit-none", code=1).stderr.splitlines()
    commands = ["DescribeComputeUnits = leasebook units list", "DescribeTPMResource = leasebook quota list"]
    assert unknown[1] == f"leasebook: As commands: {', '.join(commands)}."


def test_only_failed_calls_are_listed_where_that_is_asked_for(run: Run, asked: Asked) -> None:
    run("units", "show", "unit-none", code=1)
    assert {"OK"} < {one["code"] for one in asked("audit-log", "--limit", "50")["entries"]}
    failed = {one["code"] for one in asked("audit-log", "--failed", "--limit", "50")["entries"]}
    assert "InstanceNotFound" in failed
    assert "OK" not in failed


def test_an_account_without_limits_learns_how_to_set_some(run: Run) -> None:
    assert "leasebook limits set" in run("limits", "-o", "table").stderr


def test_policies_are_listed_with_what_they_permit(run: Run, asked: Asked) -> None:
    away = {"LEASEBOOK_CLIENT_URL": "http://127.0.0.1:9"}
    listed = {one["policy"]: one for one in asked("policies", "list", **away)}
    assert set(listed) == set(POLICY_NAMES)
    reader = listed["QianfanReadAccessPolicy"]
    assert "/v2/iam DescribeUsers" in reader["actions"]
    assert "/v2/computeunit PurchaseComputeUnit" not in reader["actions"]
    assert reader["scope"] == "account, projects"
    permitted = asked("policies", "list", "leasebooksupportpolicy", **away)
    assert {"/v2/computeunit ReleaseComputeUnit"} <= {f"{one['path']} {one['action']}" for one in permitted}
    assert "every account" in permitted[0]["scope"]
    assert "Do you mean LeasebookFleetReadPolicy?" in run("policies", "list", "FleetRead", code=2).stderr
    assert "查看账户中的一切" in run("policies", "list", "-o", "table", LEASEBOOK_LANG="zh").stdout
    assert "List the policies" in run("policies", "--help").stdout


def test_exit_codes_are_of_the_kind_of_failure(run: Run, tmp_path: Path) -> None:
    refused = run("units", "show", "unit-none", code=1)
    assert "InstanceNotFound" in refused.stderr
    assert "unit-none" in refused.stderr
    denied = run("units", "list", code=6, LEASEBOOK_CLIENT_SECRET_KEY="another-secret-of-32-letters-xyz")
    assert "SignatureDoesNotMatch" in denied.stderr
    away = run("units", "list", code=3, LEASEBOOK_CLIENT_URL="http://127.0.0.1:9")
    assert "Nothing was sent" in away.stderr
    unset = {"LEASEBOOK_CLIENT_ACCESS_KEY": "", "LEASEBOOK_CLIENT_SECRET_KEY": "", "XDG_CONFIG_HOME": str(tmp_path)}
    assert "leasebook login" in run("units", "list", code=2, **unset).stderr
    assert "或 " + str(tmp_path) in run("units", "list", code=2, LEASEBOOK_LANG="zh", **unset).stderr
    waited = run("units", "release", "unit-xxx", "--yes", "--dry-run", code=2)
    assert "No such option" in waited.stderr


def test_a_user_without_policies_is_denied(asked: Asked, run: Run) -> None:
    user = asked("users", "create", "--name", "denied")["userId"]
    key = asked("keys", "create", "--user-id", user)
    own = {
        "LEASEBOOK_CLIENT_ACCESS_KEY": key["accessKeyId"],
        "LEASEBOOK_CLIENT_SECRET_KEY": key["secretAccessKey"],
    }
    assert "AccessDenied" in run("users", "list", code=6, **own).stderr
    assert asked("policies", "attach", user, "QianfanReadAccessPolicy") is not None
    run("units", "list", **own)
    assert any(row["accessKeyId"] == key["accessKeyId"] for row in asked("keys", "list")["keys"])


def test_waiting_too_long_and_for_a_failure_have_exit_codes(
    asked: Asked, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = bought(asked, "--release-in", "8h")
    call = Session.call
    status = "Releasing"

    def slow(self: Session, action: Action, body: dict[str, Any]) -> Any:
        found = call(self, action, body)
        if action.operation == "describe_unit":
            found["computeUnitInstance"] |= {"status": status, "reason": "no card is free"}
        return found

    monkeypatch.setattr(Session, "call", slow)
    waited = run("units", "release", instance, "--yes", "--wait", "--wait-seconds", "0", code=7)
    assert f"{instance} is Releasing after 0 seconds" in waited.stderr
    status = "CreateFailed"
    failed = run("units", "buy", "--type", "gpu-1", "--yes", "--wait", code=1)
    assert "is CreateFailed. no card is free" in failed.stderr


def test_answers_have_four_forms(asked: Asked, run: Run) -> None:
    instance = bought(asked, "--release-in", "8h")
    found = asked("units", "list")
    rows = found["computeUnitInstanceList"]
    assert instance in {row["instanceId"] for row in rows}
    assert yaml.safe_load(run("units", "list", "-o", "yaml").stdout) == found
    read = list(csv.DictReader(io.StringIO(run("units", "list", "-o", "csv").stdout)))
    assert [row["instanceId"] for row in read] == [row["instanceId"] for row in rows]
    table = run("units", "list", "-o", "table").stdout
    assert "Instance" in table.splitlines()[0]
    assert f"{instance} " in table
    assert "in 8 h" in table
    few = run("units", "list", "--columns", "instanceid,status").stdout.splitlines()
    assert few[0].split() == ["Instance", "Status"]
    assert asked("units", "list", "--query", "computeUnitInstanceList[].instanceId") == [
        row["instanceId"] for row in rows
    ]
    assert "JMESPath" in run("units", "list", "--query", "a[", code=2).stderr


def test_lists_come_with_all_their_pages_up_to_a_limit(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        bought(asked, "--release-in", "8h")
    whole = asked("orders", "--limit", "0")
    assert (whole["isTruncated"], len(whole["orders"]) > 3) == (False, True)
    monkeypatch.setattr("leasebook.cli.commands.calling.session.ROWS_A_PAGE", 2)
    assert asked("orders", "--limit", "0") == whole
    some = asked("orders", "--limit", "3")
    assert (some["orders"], some["isTruncated"]) == (whole["orders"][:3], True)


def test_a_project_has_its_name_beside_its_id(asked: Asked, run: Run) -> None:
    project = asked("projects", "create", "vision")["projectId"]
    instance = bought(asked, "--release-in", "8h", "--project", project)
    rows = run("units", "list", "--columns", "instanceId,projectId,projectName").stdout.splitlines()
    assert [instance, project, "vision"] in [row.split() for row in rows]
    assert re.search(r"^Project name +vision$", run("units", "show", instance, "-o", "table").stdout, re.MULTILINE)


def test_a_table_has_no_characters_that_a_terminal_obeys(asked: Asked, run: Run) -> None:
    asked("models", "create-set", "set-with-escapes", "--description", "\x1b[2Jgone\x9b1m")
    for more in ([], ["--query", "modelSetList[].description"]):
        table = run("models", "list", "-o", "table", *more).stdout
        assert "gone" in table
        assert not set("\x1b\x9b") & set(table)


def test_bodies_come_from_files_and_from_standard_input(asked: Asked, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "limits.json"
    file.write_text('{"budget": "1000000"}')
    assert asked("limits", "set", "--limits", f"@{file}")["limits"]["budget"] == "1000000.00"
    assert asked("limits", "set", "--body", "-", given='{"limits": {"budget": "2000000"}}')
    assert asked("limits")["limits"]["budget"] == "2000000.00"
    asked("limits", "set", "--limits", "{}", "--replace")
    assert "this is no JSON" in run("limits", "set", "--limits", "-", given="{", code=2).stderr


def test_the_clock_is_moved_by_a_span_and_to_a_time(asked: Asked) -> None:
    before = asked("clock")["now"]
    moved = asked("clock", "advance", "--by", "3h")["now"]
    assert moved > before
    day = asked("clock", "advance", "--to", "tomorrow 18:00")["now"]
    assert day[10:].startswith("T18:00:00")


def test_costs_have_a_month_and_groups(asked: Asked, run: Run) -> None:
    bought(asked, "--release-in", "2h", "--tag", "team=vision")
    asked("clock", "advance", "--by", "3h")
    found = asked("costs", "--by", "type,tag:team")
    assert {"type": "gpu-1", "tag:team": "vision"} in [row["group"] for row in found["costs"]]
    assert asked("costs", "--from", "today", "--by", "type")["costs"]
    assert asked("bill")["month"] == asked("clock")["now"][:7]
    head, *rows = run("costs", "--by", "tag:team", "-o", "table").stdout.splitlines()
    assert head.startswith("tag:team")
    assert any(row.startswith("vision ") for row in rows)


def test_costs_are_exported_as_a_file_that_is_never_written_over(run: Run, tmp_path: Path) -> None:
    goal = tmp_path / "costs.csv"
    run("costs", "export", "2026-10", "--out", str(goal))
    size = goal.stat().st_size
    assert size
    assert "exists already" in run("costs", "export", "2026-10", "--out", str(goal), code=1).stderr
    assert goal.stat().st_size == size
    assert len(run("costs", "export", "2026-10").stdout_bytes) == size


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["units", "show", "unit-none"], 1, "InstanceNotFound: 这里没有实例 'unit-none'。"),
        (["units", "buy", "--type", "gpu-9", "--release-in", "8h", "--yes"], 1, "目录中没有 gpu-9。"),
        (["units", "buy", "--type", "gpu-1", "--count", "99999", "--release-in", "8h", "--yes"], 1, "请减少数量"),
        (["units", "buy", "--type", "gpu-1", "--until", "2020-01-01 00:00", "--yes"], 1, "不在将来。请给更晚的时间"),
        (["services", "show", "svco-none"], 1, "ServiceNotFound: 这里没有服务 'svco-none'。"),
        (["keys", "disable", "none"], 1, "没有访问密钥 'none'。"),
        (["units", "list", "--url", "http://127.0.0.1:9"], 3, "没有应答"),
        (["units", "list", "--profile", "none"], 2, "没有配置 'none'"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_refusals_are_said_in_chinese_with_their_code(run: Run, arguments: list[str], code: int, message: str) -> None:
    found = run(*arguments, code=code, LEASEBOOK_LANG="zh")
    assert message in found.stderr
    assert not re.search(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,} ", found.stderr.replace("Connection refused", ""))


def test_call_has_profiles_files_and_pipes_too(run: Run, tmp_path: Path, variables: dict[str, str]) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"maxKeys": 1}')
    for body, given in ((f"@{file}", ""), ("-", '{"maxKeys": 1}'), ('{"maxKeys": 1}', "")):
        answer = json.loads(run("call", "/v2/account", "DescribeOrders", body, given=given).stdout)
        assert len(answer["result"]["orders"]) == 1
    put(
        Path(variables["XDG_CONFIG_HOME"]) / "leasebook" / "config.toml",
        "ci",
        {name: variables[f"LEASEBOOK_CLIENT_{name.upper()}"] for name in ("url", "access_key", "secret_key")},
    )
    unset = dict.fromkeys(("LEASEBOOK_CLIENT_URL", "LEASEBOOK_CLIENT_ACCESS_KEY", "LEASEBOOK_CLIENT_SECRET_KEY"), "")
    run("call", "/v2/clock", "DescribeClock", "--profile", "ci", **unset)
    assert "There is no access_key" in run("call", "/v2/clock", "DescribeClock", code=2, **unset).stderr


def test_an_operation_can_be_called_by_its_own_name(asked: Asked) -> None:
    assert asked("more", "describe-clock")["mode"] == "virtual"
