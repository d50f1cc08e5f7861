"""``--prune`` ends what the caller made and the file does not have, and nothing else."""

from __future__ import annotations

import pytest

from tests.api.house.conftest import Applying
from tests.api.house.test_kinds import house_of
from tests.api.scene import ACCOUNT, CATALOG, IAM

OPERATOR = "LeasebookOperatorPolicy"


@pytest.fixture
def pruning(house: Applying, monkeypatch: pytest.MonkeyPatch) -> Applying:
    """The commands with the key of an operator of its own, who made nothing so far; every list has several pages."""
    monkeypatch.setattr("leasebook.cli.house.server.PAGE", 5)
    monkeypatch.setattr("leasebook.cli.house.plan.LEFT_SHOWN", 10_000)
    house.by(house.scene.user(house.scene.operator, OPERATOR, "QianfanFullControlAccessPolicy"))
    return house


def test_without_prune_everything_stays_and_is_named(pruning: Applying, name: str) -> None:
    both = house_of(name, "users: {ci: {}, old: {}}") + f"\n  {name}-old: {{}}"
    assert pruning.apply(both).exit_code == 0
    done = pruning.apply(house_of(name, "users: {ci: {}}"))
    assert done.exit_code == 0
    assert f"  left: user old of account {name}\n" in done.stdout
    assert f"  left: account {name}-old\n" in done.stdout
    assert len(pruning.users(name)) == 2


def test_users_accounts_and_offerings_that_the_file_lost_are_ended(pruning: Applying, name: str) -> None:
    offerings = f"offerings: {{bj/{name}: {{stock: 3}}, bj/{name}-old: {{stock: 3}}}}\n"
    text = offerings + house_of(name, "users: {ci: {}, old: {}}") + f"\n  {name}-old: {{}}"
    done = pruning.apply(text)
    assert done.exit_code == 0, done.output
    operator = pruning.scene.operator
    whose = {"accountId": pruning.account(name)["accountId"]}
    operator.do(IAM, "CreateUser", {**whose, "name": "by-hand"})
    operator.do(IAM, "CreateAccount", {"name": f"{name}-by-hand"})
    less = f"offerings: {{bj/{name}: {{}}}}\n" + house_of(name, "users: {ci: {}}")
    plan = pruning.plan(less, "--prune")
    assert plan.exit_code == 5
    ended = [line for line in plan.stdout.splitlines() if line.startswith("- ")]
    assert ended == [f"- user old of account {name}", f"- account {name}-old", f"- offering bj/{name}-old"]
    assert f"user by-hand of account {name}: not made with this key's user, so it is not ended" in plan.stdout
    assert len(pruning.users(name)) == 3
    done = pruning.apply(less, "--prune")
    assert (done.exit_code, done.stderr) == (0, "")
    assert sorted(user["name"] for user in pruning.users(name)) == ["by-hand", "ci"]
    assert pruning.accounts(f"{name}-old") == []
    assert pruning.accounts(f"{name}-by-hand") != []
    listed = {one["type"] for one in operator.do(CATALOG, "DescribeOfferings")["offerings"]}
    assert listed & {name, f"{name}-old"} == {name}
    assert pruning.plan(less, "--prune").exit_code == 0


def test_an_account_with_money_or_units_and_an_offering_with_reserved_units_stay(pruning: Applying, name: str) -> None:
    text = f"offerings: {{bj/{name}: {{pricePerMinute: 1, stock: 3}}}}\n" + house_of(name, "openingBalance: 500")
    assert pruning.apply(text + f"\n  {name}-paid: {{openingBalance: 5}}").exit_code == 0
    owner = pruning.scene.caller(next(one for one in pruning.secrets() if one["secretOf"].endswith(f" {name}")))
    unit = owner.buy(type=name)
    nothing = "house: a\nofferings: {}\naccounts: {}\n"
    plan = pruning.plan(nothing, "--prune")
    assert f"account {name}: not closed, because it has instances: 1, services: 0." in plan.stdout
    assert f"account {name}-paid: not closed, because its balance is 5.00 CNY." in plan.stdout
    assert f"- offering bj/{name}\n    closed only: 1 of its units are held" in plan.stdout
    assert pruning.apply(nothing, "--prune").exit_code == 0
    assert pruning.account(name)["status"] == "Active"
    assert "closedTime" in owner.offering("bj", name)
    assert f"offering bj/{name}: closed, and 1 of its units are held" in pruning.plan(nothing, "--prune").stdout
    owner.release(unit)
    pruning.apply(nothing, "--prune")
    assert all(one["type"] != name for one in owner.do(CATALOG, "DescribeOfferings")["offerings"])


def test_an_end_that_the_service_refuses_is_said_and_the_others_are_done(pruning: Applying, name: str) -> None:
    text = house_of(f"{name}-a") + f"\n  {name}-b: {{}}"
    assert pruning.apply(text).exit_code == 0
    paid = {"accountId": pruning.account(f"{name}-a")["accountId"], "amount": "1"}
    pruning.before["CloseAccount"] = lambda: pruning.scene.operator.do(ACCOUNT, "TopUpAccount", paid)
    done = pruning.apply("house: a\naccounts: {}\n", "--prune")
    assert done.exit_code == 1
    assert f"leasebook: account {name}-a stays: CloseAccount: InvalidState: The account still has 1.00" in done.stderr
    assert pruning.accounts(f"{name}-a") != []
    assert pruning.accounts(f"{name}-b") == []


def test_the_caller_is_never_ended(pruning: Applying) -> None:
    text = "house: a\naccounts:\n  root: {users: {}}\n"
    (me,) = (
        user["userId"]
        for user in pruning.users("root")
        if any(key["accessKeyId"] == pruning.keys[0] for key in user["accessKeys"])
    )
    # The operator who made the caller prunes by another key of the caller's: of the founder's users none is ended.
    assert pruning.apply(text, "--prune").exit_code == 0
    assert me in {user["userId"] for user in pruning.users("root")}
