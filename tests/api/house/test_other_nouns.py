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
