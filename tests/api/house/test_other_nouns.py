"""Kinds of things whose actions the contract may lack: they are part of a house once it has them."""

from __future__ import annotations

import pytest

from leasebook.contract.actions import ACTIONS
from leasebook.contract.nouns.subscription import CreateSubscriptionRequest
from tests.api.house.conftest import Applying
from tests.api.house.test_kinds import house_of, mended, of_target, settled
from tests.api.scene import ACCOUNT

HAS_TAG_POLICY = any(action.name == "SetTagPolicy" for action in ACTIONS)
HAS_ACCOUNTS = "accounts" in CreateSubscriptionRequest.__struct_fields__


@pytest.mark.skipif(not HAS_TAG_POLICY, reason="the contract has no tag policy")
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


@pytest.mark.skipif(HAS_TAG_POLICY, reason="the contract has a tag policy")
def test_a_kind_that_the_contract_lacks_is_an_unknown_key(house: Applying, name: str) -> None:
    done = house.plan(house_of(name, "tagPolicy: {}"))
    assert (done.exit_code, "There is no key 'tagPolicy' here." in done.stderr) == (2, True)


@pytest.mark.skipif(not HAS_ACCOUNTS, reason="the contract has no subscriptions over accounts")
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


@pytest.mark.skipif(HAS_ACCOUNTS, reason="the contract has subscriptions over accounts")
def test_a_subscription_over_accounts_is_a_mistake_where_there_are_none(house: Applying, name: str) -> None:
    done = house.plan(f"{house_of(name)}\nsubscriptions: [{{email: a@b.cn, accounts: {name}}}]\n")
    assert (done.exit_code, "line 4: " in done.stderr, "accounts" in done.stderr) == (2, True, True)
