"""Tag policies, and subscriptions over accounts."""

from __future__ import annotations

from tests.api.house.conftest import Applying
from tests.api.house.test_kinds import house_of, mended, of_target, settled
from tests.api.scene import ACCOUNT


def test_a_tag_policy_is_what_the_file_says(house: Applying, name: str) -> None:
    policy = "tagPolicy: {required: [team, e\u0301], allowed: {stage: [test, live]}}"
    text = house_of(name, policy)
    settled(house, text)
    whose = {"accountId": house.account(name)["accountId"]}
    shown = house.scene.operator.do(ACCOUNT, "DescribeTagPolicy", whose)["policy"]
    assert (set(shown["required"]), set(shown["allowed"]["stage"])) == ({"team", "\u00e9"}, {"test", "live"})
    by_hand = {"required": ["other"], "allowed": {"stage": ["live"], "size": ["small"]}}
    house.scene.operator.do(ACCOUNT, "SetTagPolicy", {**whose, "policy": by_hand})
    mended(house, text, "required: [other] → [team, \u00e9]")
    assert f"  {name}:" in house.run("export").stdout
    settled(house, house_of(name, "tagPolicy: {}"))
    assert house.scene.operator.do(ACCOUNT, "DescribeTagPolicy", whose)["policy"] == {"required": [], "allowed": {}}


def test_projects_are_what_the_file_says_and_are_pruned_by_their_maker(house: Applying, name: str) -> None:
    text = house_of(name, "projects: {atlas: {description: The maps.}, borealis: {}}")
    settled(house, text)
    whose = {"accountId": house.account(name)["accountId"]}

    def there() -> dict[str, str]:
        rows = house.scene.operator.do("/v2/project", "DescribeProjects", {**whose, "status": "Active"})["projects"]
        return {row["name"]: row["description"] for row in rows if row["projectId"] != "default"}

    assert there() == {"atlas": "The maps.", "borealis": ""}
    (atlas,) = house.scene.operator.do("/v2/project", "DescribeProjects", {**whose, "name": "atlas"})["projects"]
    changed = {**whose, "projectId": atlas["projectId"], "description": "Other maps."}
    house.scene.operator.do("/v2/project", "ModifyProject", changed)
    mended(house, text, "description: Other maps. → The maps.")
    assert "borealis" in house.run("export").stdout
    less = house_of(name, "projects: {atlas: {}}")
    settled(house, less)
    assert there() == {"atlas": "The maps.", "borealis": ""}, "what the file does not name stays"
    assert f"- project borealis of account {name}" in house.plan(less, "--prune").stdout
    assert house.apply(less, "--prune").exit_code == 0
    assert there() == {"atlas": "The maps."}


def test_a_subscription_over_accounts_is_known_by_them_and_pruned_by_its_owner(house: Applying, name: str) -> None:
    url = f"https://example.org/{name}"
    one = f"{{webhook: '{url}', accounts: {name}, types: [unit.released]}}"
    every = f"{{webhook: '{url}', accounts: ['*'], types: [unit.released]}}"
    text = f"{house_of(name)}\nsubscriptions: [{one}, {every}]\n"
    settled(house, text)
    account_id = house.account(name)["accountId"]
    assert sorted(row["accounts"] for row in of_target(house, url)) == [["*"], [account_id]]
    less = text.replace(f", {every}", "")
    assert f"accounts: {name}" in house.run("export").stdout.replace("[", "").replace("]", "")
    plan = house.plan(less, "--prune")
    assert "- subscription https://example.org/…" in plan.stdout
    assert house.apply(f"house: a\nsubscriptions: [{one}]\n", "--prune").exit_code == 0
    assert [row["accounts"] for row in of_target(house, url)] == [[account_id]]


def test_a_subscription_is_for_projects_of_the_operators_account(house: Applying, name: str) -> None:
    own = house.scene.operator.do(ACCOUNT, "DescribeAccount")
    project = f"p-{name}"
    made = f"projects: {{{project}: {{}}}}"
    of_root = f"house: a\naccounts:\n  mine: {{id: {own['accountId']}, name: '{own['name']}', {made}}}\n"
    url = f"https://example.org/{name}"
    one, other, all_of_it = (
        f"{{webhook: '{url}'{more}}}" for more in (f", projects: {project}", ", projects: [default, PROJECT]", "")
    )
    settled(house, f"{of_root}subscriptions: [{one}, {all_of_it}]\n")
    (project_id,) = (
        row["projectId"]
        for row in house.scene.operator.do("/v2/project", "DescribeProjects")["projects"]
        if row["name"] == project
    )
    assert sorted(row.get("projectIds", []) for row in of_target(house, url)) == [[], [project_id]]
    # A file without the account finds its projects by their names.
    both = other.replace("PROJECT", project)
    settled(house, f"house: a\nsubscriptions: [{both}]\n")
    assert sorted(row.get("projectIds", []) for row in of_target(house, url)) == [
        [],
        sorted(["default", project_id]),
        [project_id],
    ]
    exported = house.run("export").stdout
    assert f"projects: [{project}]" in exported
    assert house.apply(f"house: a\nsubscriptions: [{both}]\n", "--prune").exit_code == 0
    # The service does not say who made the one for the whole account, so it stays.
    left = sorted(sorted(row.get("projectIds", [])) for row in of_target(house, url))
    assert left == [[], sorted(["default", project_id])]
    unknown = house.plan(f"house: a\nsubscriptions: [{{webhook: '{url}', projects: {project}x}}]\n")
    assert (unknown.exit_code, f"Did you mean '{project}'?" in unknown.stderr) == (2, True), unknown.output


def test_policies_for_projects_are_what_the_file_says(house: Applying, name: str) -> None:
    def text(wanted: str) -> str:
        users = f"users: {{li: {{policies: [], projectPolicies: {wanted}}}}}"
        return house_of(name, "projects: {atlas: {}, borealis: {}}", users)

    operate, read = "QianfanServiceOperateAccessPolicy", "QianfanReadAccessPolicy"
    wanted = text(f"{{atlas: [{operate}], default: [{read}]}}")
    settled(house, wanted)
    whose = {"accountId": house.account(name)["accountId"]}
    projects = {
        row["name"]: row["projectId"]
        for row in house.scene.operator.do("/v2/project", "DescribeProjects", whose)["projects"]
    }

    def has() -> dict[str, list[str]]:
        rows = house.scene.operator.do("/v2/iam", "DescribeUsers", whose)["users"]
        (row,) = (row for row in rows if row["name"] == "li")
        return {one["policyName"]: one["projectIds"] for one in row.get("projectPolicies", ())}

    assert has() == {operate: [projects["atlas"]], read: ["default"]}
    (user,) = (
        row for row in house.scene.operator.do("/v2/iam", "DescribeUsers", whose)["users"] if row["name"] == "li"
    )
    by_hand = {**whose, "userId": user["userId"], "policyName": operate}
    house.scene.operator.do("/v2/iam", "AttachPolicy", {**by_hand, "projectIds": [projects["borealis"]]})
    house.scene.operator.do("/v2/iam", "DetachPolicy", {**by_hand, "projectIds": [projects["atlas"]]})
    mended(
        house, wanted, f"projectPolicies: {read} (default), {operate} (borealis) → {read} (default), {operate} (atlas)"
    )
    assert has() == {operate: [projects["atlas"]], read: ["default"]}
    assert "projectPolicies:" in house.run("export").stdout
    settled(house, text("{}"))
    assert has() == {}
    settled(house, text(f"{{borealis: [{read}]}}"))
    unknown = house.plan(text(f"{{atlass: [{read}]}}"))
    assert (unknown.exit_code, "atlas" in unknown.stderr) == (2, True), unknown.output
    assert house.plan(text("{atlas: [LeasebookOperatorPolicy]}")).exit_code == 2
