"""Each kind of thing in a house: made, left alone the second time, mended where it was changed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from leasebook.cli.house.kinds import limit_forms
from leasebook.cli.house.kinds.limit_forms import ByKey, Fields, Form
from leasebook.contract.nouns.limits import GuardRailsChange
from tests.api.bad_values import alternatives
from tests.api.house.conftest import Applying
from tests.api.scene import ACCOUNT, CATALOG, IAM, NOTIFICATION

OPERATE, READ = "QianfanServiceOperateAccessPolicy", "QianfanReadAccessPolicy"


def house_of(name: str, *lines: str) -> str:
    return "\n".join([f"house: {name}", "accounts:", f"  {name}:", *(f"    {line}" for line in lines)])


def settled(house: Applying, text: str, **variables: str) -> list[str]:
    """Apply a file twice; the second time has nothing to do. Returns the calls of the first time."""
    done = house.apply(text, **variables)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    calls = list(house.calls)
    again = house.plan(text, **variables)
    assert (again.exit_code, again.stderr) == (0, ""), again.output
    assert "Nothing to do" in again.stdout
    assert all(call.startswith("Describe") for call in house.calls)
    return calls


def mended(house: Applying, text: str, *shown: str) -> None:
    """Something was changed by hand: the plan shows it, and a run mends it."""
    plan = house.plan(text)
    assert plan.exit_code == 5, plan.output
    for line in shown:
        assert line in plan.stdout
    settled(house, text)


def test_an_offering_is_made_repriced_closed_and_opened_again(house: Applying, name: str) -> None:
    text = f"house: a\nofferings:\n  bj/{name}: {{pricePerMinute: 0.5, pricePerMonth: '1,000.00', stock: 64}}\n"
    settled(house, text)
    operator, named = house.scene.operator, {"region": "bj", "type": name}
    made = operator.offering("bj", name)
    assert (made["pricePerMinute"], made["pricePerMonth"], made["stockTotal"]) == ("0.50", "1000.00", 64)
    operator.do(CATALOG, "SetOffering", {**named, "pricePerMinute": "0.7", "stockTotal": 3})
    mended(house, text, "pricePerMinute: 0.70 → 0.5", "stock: 3 → 64")
    operator.do(CATALOG, "CloseOffering", named)
    mended(house, text, "sales: closed → open")
    settled(house, text.replace("stock: 64", "closed: noRenewals"))
    assert operator.offering("bj", name)["noRenewals"] is True
    settled(house, text.replace("stock: 64", "closed: 'true'"))
    assert "noRenewals" not in operator.offering("bj", name)


def test_quota_of_a_model_is_an_offering_of_the_region_global(house: Applying, name: str) -> None:
    settled(house, f"house: a\nofferings:\n  global/{name}: {{pricePerMinute: 0.01, stock: 7}}\n")
    assert house.scene.operator.offering("global", name)["kind"] == "TPM"


def test_an_account_is_made_once_with_its_root_key_and_opening_balance(house: Applying, name: str) -> None:
    text = house_of(name, "timeZone: Europe/Berlin", "openingBalance: 1,234.50")
    settled(house, text)
    account = house.account(name)
    assert (account["timeZone"], account["balance"]) == ("Europe/Berlin", "1234.50")
    (key,) = house.secrets()
    assert key["secretOf"] == f"key of root user of account {name}"
    assert house.scene.caller(key).account_id() == account["accountId"]
    # Money that was spent is not paid again, and another amount in the file changes nothing.
    settled(house, text.replace("1,234.50", "9"))
    assert house.account(name)["balance"] == "1234.50"


def test_an_account_that_was_paid_by_hand_gets_no_opening_balance(house: Applying, name: str) -> None:
    settled(house, house_of(name))
    house.scene.operator.do(ACCOUNT, "TopUpAccount", {"accountId": house.account(name)["accountId"], "amount": "5"})
    settled(house, house_of(name, "openingBalance: 100"))
    assert house.account(name)["balance"] == "5.00"


def test_an_account_is_renamed_by_its_id_and_keeps_its_time_zone(house: Applying, name: str) -> None:
    settled(house, house_of(name))
    account_id = house.account(name)["accountId"]
    settled(house, house_of(name, f"id: {account_id}", f"name: {name}-renamed"))
    assert house.account(f"{name}-renamed")["accountId"] == account_id
    moved = house.plan(house_of(f"{name}-renamed", "timeZone: Europe/Berlin"))
    assert moved.exit_code == 1
    assert f"Line 3: the account {name}-renamed counts its months in Asia/Shanghai" in moved.stderr
    unknown = house.plan(house_of(name, "id: none"))
    assert (unknown.exit_code, "nothing with the id 'none'" in unknown.stderr) == (2, True)


def test_two_accounts_of_one_name_need_an_id(house: Applying, name: str) -> None:
    made = [house.scene.operator.do(IAM, "CreateAccount", {"name": name})["accountId"] for _ in range(2)]
    plan = house.plan(house_of(name))
    assert plan.exit_code == 2
    assert "line 3: The service has 2 of the name" in plan.stderr
    assert all(one in plan.stderr for one in made)
    settled(house, house_of(name, f"id: {made[1]}"))


def test_users_get_policies_contact_and_keys(house: Applying, name: str) -> None:
    text = house_of(
        name, f"users: {{ci: {{policies: [{OPERATE}, {READ}], keys: 2, email: ci@example.org, language: en}}}}"
    )
    settled(house, text)
    (user,) = house.users(name)
    assert (user["name"], set(user["policies"]), user["email"]) == ("ci", {OPERATE, READ}, "ci@example.org")
    keys = [one for one in house.secrets() if one["secretOf"] == f"key of user ci of account {name}"]
    assert {key["accessKeyId"] for key in keys} == {key["accessKeyId"] for key in user["accessKeys"]}
    assert len(keys) == 2
    for key in keys:
        assert house.scene.caller(key).account_id() == house.account(name)["accountId"]
    of = {"accountId": house.account(name)["accountId"], "userId": user["userId"]}
    operator = house.scene.operator
    operator.do(IAM, "DetachPolicy", {**of, "policyName": READ})
    operator.do(IAM, "AttachPolicy", {**of, "policyName": "QianfanFullControlAccessPolicy"})
    operator.do(IAM, "SetUserContact", {**of, "email": None, "language": "zh-CN"})
    operator.do(IAM, "DisableAccessKey", {"accountId": of["accountId"], "accessKeyId": keys[0]["accessKeyId"]})
    mended(
        house,
        text,
        f"policies: [QianfanFullControlAccessPolicy, {OPERATE}] → [{READ}, {OPERATE}]",
        "email: (none) → ci@example.org",
        "language: zh-CN → en",
        "a new key",
    )
    assert len(house.secrets()) == 4
    settled(house, text.replace("email: ci@example.org", "email: ~"))
    assert "email" not in house.users(name)[0]


def test_a_user_who_was_deleted_is_made_again(house: Applying, name: str) -> None:
    text = house_of(name, f"users: {{ci: {{policies: [{READ}], keys: 1}}}}")
    settled(house, text)
    (first,) = house.users(name)
    whose = {"accountId": house.account(name)["accountId"]}
    house.scene.operator.do(IAM, "DeleteUser", {**whose, "userId": first["userId"]})
    mended(house, text, f"+ user ci of account {name}")
    assert house.users(name)[0]["userId"] != first["userId"]
    house.scene.operator.do(IAM, "RenameUser", {**whose, "userId": house.users(name)[0]["userId"], "name": "other"})
    mended(house, text, f"+ user ci of account {name}")
    assert sorted(user["name"] for user in house.users(name)) == ["ci", "other"]


LIMITS = (
    "limits:",
    "  units: {gpu-1: 8, cpu: 100}",
    "  userUnits: {'*': {gpu-1: 2}, ci: {gpu-1: 4}}",
    "  userSpend: {ci: 500}",
    "  spend: 5,000",
    "  budget: 4000",
    "  budgetWarnPercent: [80, 50]",
    "  budgetRefusePercent: 120",
    "  releaseDefault: 8h",
    "  releaseMax: 1d12h",
    "  endRequired: true",
    "  extendBy: buyer",
    "  extensionsMax: 3",
    "  needsApproval: {units: {gpu-1: 4}, cost: '10,000', release: 2d, months: 6, lapse: 1d, selfApproval: true}",
    "  userNeedsApproval: {'*': {units: {'*': 2}}, ci: {months: 1, selfApproval: false}}",
    "  projects:",
    "    atlas: {units: {gpu-1: 4}, spend: 900, budget: 800, budgetWarnPercent: [90], budgetRefusePercent: 100,",
    "      releaseMax: 2h, releaseDefault: 1h, endRequired: true}",
    "    default: {spend: 70}",
    "  tags: {team: {vision: {budget: 600, budgetWarnPercent: [80, 50], budgetRefusePercent: 100}, '': {budget: 1}}}",
)


def test_limits_are_what_the_file_says_and_no_others(house: Applying, name: str) -> None:
    text = house_of(name, "users: {ci: {}}", "projects: {atlas: {}, default-like: {name: other}}", *LIMITS)
    settled(house, text)
    account_id, user_id = house.account(name)["accountId"], house.users(name)[0]["userId"]
    rows = house.scene.operator.do("/v2/project", "DescribeProjects", {"accountId": account_id})["projects"]
    (project_id,) = [row["projectId"] for row in rows if row["name"] == "atlas"]
    limits = house.scene.operator.do(ACCOUNT, "DescribeGuardRails", {"accountId": account_id})["limits"]
    assert limits == {
        "units": {"gpu-1": 8, "cpu": 100},
        "userUnits": {"*": {"gpu-1": 2}, user_id: {"gpu-1": 4}},
        "userSpend": {user_id: "500.00"},
        "spend": "5000.00",
        "budget": "4000.00",
        "budgetWarnPercent": [50, 80],
        "budgetRefusePercent": 120,
        "releaseDefaultSeconds": 28800,
        "releaseMaxSeconds": 129_600,
        "endRequired": True,
        "extendBy": "buyer",
        "extensionsMax": 3,
        "needsApproval": {
            "units": {"gpu-1": 4},
            "cost": "10000.00",
            "releaseSeconds": 172_800,
            "months": 6,
            "lapseSeconds": 86400,
            "selfApproval": True,
        },
        "userNeedsApproval": {"*": {"units": {"*": 2}}, user_id: {"months": 1}},
        "projects": {
            "default": {"spend": "70.00"},
            project_id: {
                "units": {"gpu-1": 4},
                "spend": "900.00",
                "budget": "800.00",
                "budgetWarnPercent": [90],
                "budgetRefusePercent": 100,
                "releaseMaxSeconds": 7200,
                "releaseDefaultSeconds": 3600,
                "endRequired": True,
            },
        },
        "tags": {
            "team": {
                "vision": {"budget": "600.00", "budgetWarnPercent": [50, 80], "budgetRefusePercent": 100},
                "": {"budget": "1.00"},
            }
        },
    }
    exported = house.run("export")
    assert exported.exit_code == 0, exported.output
    settled(house, exported.stdout)
    more = {
        "projects": {project_id: {"spend": None, "units": {"gpu-2": 1}}},
        "tags": {"team": {"vision": {"budget": "5"}}, "k": {"v": {"budget": "6"}}},
        "needsApproval": None,
    }
    by_hand = {"units": {"gpu-1": 9, "cpu": None, "gpu-2": 1}, "userUnits": {"*": {"cpu": 1}}, "extendBy": None, **more}
    house.scene.operator.do(ACCOUNT, "SetGuardRails", {"accountId": account_id, "limits": by_hand})
    mended(house, text, "units: {gpu-1: 9, gpu-2: 1} → {gpu-1: 8, cpu: 100}", "extendBy: (none) → buyer")
    by_tag = house.scene.operator.do(ACCOUNT, "DescribeGuardRails", {"accountId": account_id})["limits"]["tags"]
    assert by_tag == limits["tags"]
    assert house.scene.operator.do(ACCOUNT, "DescribeGuardRails", {"accountId": account_id})["limits"] == limits
    settled(house, house_of(name, "users: {ci: {}}", "limits: {}"))
    assert house.scene.operator.do(ACCOUNT, "DescribeGuardRails", {"accountId": account_id})["limits"] == {}


def test_limits_of_a_user_who_is_not_there_are_an_error(house: Applying, name: str) -> None:
    plan = house.plan(house_of(name, "users: {worker: {}}", "limits: {userSpend: {wroker: 1}}"))
    assert plan.exit_code == 2
    assert (
        f"line 5: The account {name} has no user 'wroker', and the file makes none. Did you mean 'worker'?"
        in plan.stderr
    )


def test_limits_of_a_project_that_is_not_there_are_an_error(house: Applying, name: str) -> None:
    plan = house.plan(house_of(name, "projects: {atlas: {}}", "limits: {projects: {altas: {spend: 1}}}"))
    assert plan.exit_code == 2
    assert (
        f"line 5: The account {name} has no project 'altas', and the file makes none. Did you mean 'atlas'?"
        in plan.stderr
    )


def test_the_file_has_every_limit_that_can_be_set() -> None:
    """Every field of the contract has a key of the file, at any depth: a new one cannot be forgotten."""
    known = set(named(limit_forms.LIMITS))
    assert [path for path in settable(msgspec.inspect.type_info(GuardRailsChange)) if path not in known] == []
    assert {"tags.*.*.budgetRefusePercent", "userNeedsApproval.*.lapseSeconds", "projects.*.units.*"} <= known


def settable(found: msgspec.inspect.Type, above: str = "") -> Iterator[str]:
    """Yield the paths of all fields of a request, with ``*`` for keys that callers choose."""
    for one in alternatives(found):
        if isinstance(one, msgspec.inspect.DictType):
            yield from settable(one.value_type, f"{above}.*")
        elif isinstance(one, msgspec.inspect.StructType):
            for field in one.fields:
                yield from settable(field.type, f"{above}.{field.encode_name}".lstrip("."))
        elif not isinstance(one, msgspec.inspect.NoneType):
            yield above


def named(form: Form, above: str = "") -> Iterator[str]:
    """Yield the paths of the fields that a form has, as requests have them."""
    if isinstance(form, ByKey):
        yield from named(form.of, f"{above}.*")
    elif isinstance(form, Fields):
        for field, one in form.fields.values():
            yield from named(one, f"{above}.{field}".lstrip("."))
    else:
        yield above


def test_reminders_are_spans(house: Applying, name: str) -> None:
    text = house_of(name, "reminders: [1h, 1d]")
    settled(house, text)
    whose = {"accountId": house.account(name)["accountId"]}
    house.scene.operator.do(ACCOUNT, "SetReminders", {**whose, "beforeSeconds": [600]})
    mended(house, text, "reminders: [10m] → [1d, 1h]")
    assert house.scene.operator.do(ACCOUNT, "DescribeReminders", whose)["beforeSeconds"] == [86400, 3600]


def test_a_webhook_is_made_with_its_secret_and_its_url_may_come_from_a_variable(house: Applying, name: str) -> None:
    url = f"https://example.org/{name}"
    text = "house: a\nsubscriptions:\n  - {webhook: '${HOOK}', types: [unit.released, account.*]}\n"
    done = house.apply(text, HOOK=url)
    assert done.exit_code == 0, done.output
    assert url not in done.output
    (secret,) = house.secrets()
    (made,) = of_target(house, url)
    assert secret["subscriptionId"] == made["subscriptionId"]
    assert secret["secret"].startswith("whsec_")
    settled(house, text, HOOK=url)
    operator = house.scene.operator
    operator.do(
        NOTIFICATION,
        "ModifySubscription",
        {"subscriptionId": made["subscriptionId"], "types": ["unit.bought"], "status": "Paused"},
    )
    plan = house.plan(text.replace("types", "paused: false, types"), HOOK=url)
    assert "types: [unit.bought] → [account.*, unit.released]" in plan.stdout
    assert "paused: true → false" in plan.stdout
    settled(house, text.replace("types", "paused: false, types"), HOOK=url)
    operator.do(NOTIFICATION, "DeleteSubscription", {"subscriptionId": made["subscriptionId"]})
    settled(house, text, HOOK=url)
    assert [one["subscriptionId"] for one in of_target(house, url)] != [made["subscriptionId"]]
    assert len(house.secrets()) == 2


def of_target(house: Applying, url: str) -> list[dict[str, Any]]:
    rows = house.scene.operator.do(NOTIFICATION, "DescribeSubscriptions", {})["subscriptions"]
    return [row for row in rows if row.get("url") == url]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["openingBalance: 1_000"], "line 4: '1_000' is no amount."),
        (["openingbalance: 10"], "line 4: There is no key 'openingbalance' here. Did you mean 'openingBalance'?"),
        (["reminders: [8]"], "line 4: '8' is no length of time."),
        (["users:", "  ci: {policies: [QianfanReadAccesPolicy]}"], "Did you mean 'QianfanReadAccessPolicy'?"),
        (["users: {ci: {keys: 11}}"], "line 4: keys: 11 is more than the 10"),
        (["limits: {budgetWarnPercent: [50, 0]}"], "line 4: budgetWarnPercent"),
        (["limits: {releaseMax: 1s}"], "line 4: releaseMax"),
        (["limits: {extendBy: anyone}"], "line 4: 'anyone' is none of anybody, buyer, managers."),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line_before_anything_is_sent(
    house: Applying, name: str, lines: list[str], said: str
) -> None:
    done = house.apply(house_of(name, *lines))
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert house.calls == []
