"""Runs that are cut off at any call, and runs beside each other: no key is lost, and no money is paid twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leasebook.cli.house import secrets_file
from leasebook.cli.house.server import Server
from tests.api.house.conftest import Applying, Cut, calling
from tests.api.house.test_kinds import house_of, of_target
from tests.api.scene import IAM
from tests.depth import some
from tests.harness import ROOT_KEY, ROOT_SECRET

READ = "QianfanReadAccessPolicy"
SECRET = {"CreateAccount", "CreateAccessKey", "CreateSubscription"}


def whole(name: str) -> str:
    """A house with everything of each kind."""
    account = house_of(
        name,
        "openingBalance: 70",
        f"users: {{ci: {{policies: [{READ}], keys: 2, email: ci@example.org}}}}",
        "limits: {units: {cpu: 4}, userUnits: {ci: {cpu: 2}}}",
        "reminders: [2h]",
    )
    rest = f"offerings: {{bj/{name}: {{pricePerMinute: 1, stock: 2, closed: 'true'}}}}"
    return f"{account}\n{rest}\nsubscriptions:\n  - {{webhook: https://example.org/{name}}}\n"


def prove(house: Applying, name: str, *others: Applying) -> None:
    """The house is whole: everything once, every secret in the files of these runs, and every key works."""
    account, (user,) = house.account(name), house.users(name)
    assert account["balance"] == "70.00"
    assert (user["policies"], user["email"], len(user["accessKeys"])) == ([READ], "ci@example.org", 2)
    found = [one for run in (house, *others) for one in run.secrets()]
    secrets = {one.get("accessKeyId") or one["subscriptionId"]: one for one in found}
    (hook,) = of_target(house, f"https://example.org/{name}")
    root = next(one for one in secrets.values() if one["secretOf"] == f"key of root user of account {name}")
    keys = {key["accessKeyId"] for key in user["accessKeys"]}
    assert secrets.keys() == keys | {hook["subscriptionId"], root["accessKeyId"]}
    for key in (*keys, root["accessKeyId"]):
        assert house.scene.caller(secrets[key]).account_id() == account["accountId"]
    assert "closedTime" in house.scene.operator.offering("bj", name)
    assert "Nothing to do" in house.plan(whole(name)).stdout


def writes(calls: list[str]) -> list[int]:
    return [number for number, call in enumerate(calls) if not call.startswith("Describe")]


def test_a_run_that_is_cut_off_at_any_call_is_finished_by_the_next(
    house: Applying, name: str, request: pytest.FixtureRequest
) -> None:
    assert house.apply(whole(name)).exit_code == 0
    calls = list(house.calls)
    assert {calls[number] for number in writes(calls)} == SECRET | {
        *("SetOffering", "CloseOffering", "TopUpAccount", "CreateUser", "SetUserContact", "AttachPolicy"),
        *("SetGuardRails", "SetReminders"),
    }
    prove(house, name)
    is_short = "postgres" in request.node.name
    for number in some(writes(calls), 4):
        # Before a call is as after the one before, except where the file of secrets names the call first.
        for answered in (True, False) if calls[number] in SECRET else () if is_short else (True,):
            (house.folder / "house.yaml.keys").unlink(missing_ok=True)
            other = f"{name}-{number}-{answered}".lower()
            house.cut_at = number, answered
            with pytest.raises(Cut):
                house.apply(whole(other))
            house.cut_at = None
            done = house.apply(whole(other))
            assert done.exit_code == 0, done.output
            prove(house, other)


def test_a_run_that_is_cut_off_again_and_again_is_finished_in_the_end(house: Applying, name: str) -> None:
    for number in range(6, 60):
        house.cut_at = number, True
        try:
            done = house.apply(whole(name))
        except Cut:
            continue
        assert done.exit_code == 0
        break
    house.cut_at = None
    prove(house, name)


def test_runs_that_begin_at_the_same_moment_make_everything_once(house: Applying, name: str) -> None:
    """The second run does all between the first one's plan and its first write, or between two of its writes."""
    for action in ("SetOffering", "CreateUser", "CreateAccessKey", "CreateSubscription"):
        other = f"{name}-{action}".lower()
        second = Applying(house.scene, house.folder / action)
        second.folder.mkdir()

        def run_second(second: Applying = second, other: str = other) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("leasebook.cli.house.server.OperationCaller", calling(second.post))
                assert second.apply(whole(other)).exit_code == 0

        house.before[action] = run_second
        done = house.apply(whole(other))
        assert done.exit_code == 0, done.output
        prove(house, other, second)
        for path in second.folder.iterdir():
            path.unlink()
        (house.folder / "house.yaml.keys").unlink()


def test_another_operator_who_makes_the_account_first_is_not_doubled(house: Applying, name: str) -> None:
    other = house.scene.user(house.scene.operator, "LeasebookOperatorPolicy")
    second = Applying(house.scene, house.folder / "second")
    second.folder.mkdir()
    second.by(other)

    def run_second() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("leasebook.cli.house.server.OperationCaller", calling(second.post))
            assert second.apply(house_of(name)).exit_code == 0

    house.before["CreateAccount"] = run_second
    done = house.apply(house_of(name))
    assert done.exit_code == 1
    assert "Another run made it meanwhile. Run again." in done.stderr
    house.account(name)
    assert house.secrets() == []
    assert house.apply(house_of(name)).exit_code == 0


def test_an_account_that_was_closed_is_made_again_although_its_token_is_kept(house: Applying, name: str) -> None:
    assert house.apply(house_of(name)).exit_code == 0
    first = house.account(name)["accountId"]
    house.scene.operator.do(IAM, "CloseAccount", {"accountId": first})
    assert house.apply(house_of(name, "timeZone: Europe/Berlin")).exit_code == 0
    assert house.account(name)["accountId"] != first
    assert len(house.secrets()) == 2


def test_a_refusal_that_the_service_remembers_ends_with_its_minute(
    house: Applying, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, minute = house_of(name, "users: {ci: {}}"), datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    assert house.apply(house_of(name)).exit_code == 0
    whose = {"accountId": house.account(name)["accountId"]}
    house.scene.operator.do(IAM, "SuspendAccount", {**whose, "reason": "It is looked at."})
    monkeypatch.setattr(Server, "now", lambda _: minute)
    refused = house.apply(text)
    assert refused.exit_code == 1
    assert f"user ci of account {name}: CreateUser: AccountSuspended" in refused.stderr
    house.scene.operator.do(IAM, "ResumeAccount", whose)
    assert house.apply(text).exit_code == 1
    monkeypatch.setattr(Server, "now", lambda _: minute + timedelta(minutes=1))
    assert house.apply(text).exit_code == 0
    assert [user["name"] for user in house.users(name)] == ["ci"]


def test_a_secret_that_the_service_gives_no_more_is_said_to_be_lost(
    house: Applying, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = house_of(name, "users: {ci: {keys: 1}}")
    with pytest.raises(Cut):
        cut_after(house, "CreateAccessKey", text)
    monkeypatch.setattr(secrets_file, "REPEATED_FOR", timedelta(0))
    plan = house.plan(text)
    assert plan.exit_code == 5
    assert f"the secret of the key of user ci of account {name} is lost" in plan.stdout
    assert house.apply(text).exit_code == 0
    assert [one["secretOf"] for one in house.secrets()] == [f"key of root user of account {name}"]
    assert house.plan(text).exit_code == 0


def test_a_plan_shows_a_secret_that_is_still_to_be_fetched(house: Applying, name: str) -> None:
    text = house_of(name, "users: {ci: {keys: 1}}")
    with pytest.raises(Cut):
        cut_after(house, "CreateAccessKey", text)
    plan = house.plan(text)
    assert plan.exit_code == 5
    assert f"+ secret of the key of user ci of account {name}, which an interrupted run made" in plan.stdout
    assert house.apply(text).exit_code == 0
    secret = house.secrets()[-1]
    assert secret["secretOf"] == f"key of user ci of account {name}"
    assert [key["accessKeyId"] for key in house.users(name)[0]["accessKeys"]] == [secret["accessKeyId"]]
    assert secret["secretAccessKey"] not in plan.output


def test_a_call_of_another_user_is_not_repeated(house: Applying, name: str) -> None:
    """The file may be one that was used with another service: there the call would make a second account."""
    with pytest.raises(Cut):
        cut_after(house, "CreateAccount", house_of(name))
    house.by(house.scene.user(house.scene.operator, "LeasebookOperatorPolicy"))
    plan = house.plan(house_of(name))
    assert (plan.exit_code, "Nothing to do" in plan.stdout) == (0, True)
    house.keys = (ROOT_KEY, ROOT_SECRET)
    assert house.plan(house_of(name)).exit_code == 5


def cut_after(house: Applying, action: str, text: str) -> Any:
    """Apply, and cut the run off once an action is answered."""

    def cut() -> None:
        house.cut_at = len(house.calls), True

    house.before[action] = cut
    try:
        return house.apply(text)
    finally:
        house.cut_at = None
