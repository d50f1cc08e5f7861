"""The questions of ``apply``, its exit codes, and its secrets on no screen."""

from __future__ import annotations

import json
from typing import cast

import pytest

from leasebook.cli.house import server
from leasebook.cli.house.plan import Plan
from leasebook.client.errors import NoAnswer
from tests.api.house.conftest import Applying, calling
from tests.api.house.test_interrupted import whole
from tests.api.house.test_kinds import house_of
from tests.api.scene import IAM


def test_without_a_terminal_nothing_is_done_unless_yes_is_given(house: Applying, name: str) -> None:
    done = house.run("apply", str(house.write(house_of(name))))
    assert done.exit_code == 1
    assert "Nothing was changed: there is no terminal to ask on." in done.stderr
    assert all(call.startswith("Describe") for call in house.calls)
    assert house.secrets() == []


def test_a_terminal_is_asked_and_ends_are_asked_for_separately(
    house: Applying, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leasebook.cli.house.command._is_terminal", lambda: True)
    file = house.write(house_of(name, "users: {old: {}}"))
    assert house.run("apply", str(file), given="n\n").exit_code == 1
    assert house.accounts(name) == []
    done = house.run("apply", str(file), given="y\n")
    assert done.exit_code == 0, done.output
    file = house.write(house_of(name, "users: {ci: {}}"))
    kept = house.run("apply", str(file), "--prune", given="y\nn\n")
    assert kept.exit_code == 0
    assert "Do this?" in kept.stdout
    assert "End the things that are marked - above? This cannot be undone." in kept.stdout
    assert {user["name"] for user in house.users(name)} == {"old", "ci"}
    assert house.run("apply", str(file), "--prune", given="n\n").exit_code == 1
    assert house.run("apply", str(file), "--prune", given="y\n").exit_code == 0
    assert {user["name"] for user in house.users(name)} == {"ci"}


def test_no_secret_is_on_the_screen(house: Applying, name: str) -> None:
    done = house.apply(whole(name))
    assert done.exit_code == 0
    assert f"The new secrets are in {house.folder / 'house.yaml.keys'}, readable by you alone." in done.stdout
    for secret in house.secrets():
        text = secret.get("secretAccessKey") or secret["secret"]
        assert text not in done.output
        assert text not in house.run("export").output


def test_a_file_of_secrets_that_cannot_be_used_stops_the_run_before_it_changes_anything(
    house: Applying, name: str
) -> None:
    (house.folder / "house.yaml.keys").write_text("")
    (house.folder / "house.yaml.keys").chmod(0o644)
    done = house.apply(house_of(name))
    assert done.exit_code == 1
    assert "Run: chmod 600" in done.stderr
    assert all(call.startswith("Describe") for call in house.calls)


def test_a_name_that_a_tenant_chose_does_not_reach_the_terminal_as_it_is(house: Applying, name: str) -> None:
    bad = f"{name}\x1b[2J\n+ account vision\u202e"
    made = house.scene.operator.do(IAM, "CreateAccount", {"name": bad})
    for text in ("house: a\naccounts: {}\n", house_of(name, f"id: {made['accountId']}")):
        plan = house.plan(text)
        assert f"{name}\\x1b[2J\\n+ account vision\\u202e" in plan.stdout
        assert not {"\x1b", "\u202e"} & set(plan.output)
        assert "\n+ account vision" not in plan.stdout
    assert "\x1b" not in house.plan('house: a\n"x\\x1b": 1\n').stderr
    house.scene.operator.do(IAM, "CloseAccount", {"accountId": made["accountId"]})


def test_a_file_that_is_missing_is_2(house: Applying) -> None:
    done = house.run("apply", str(house.folder / "none.yaml"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.endswith("none.yaml: No such file or directory\n")


def test_a_caller_who_is_no_operator_is_refused_before_anything_is_done(house: Applying, name: str) -> None:
    house.by(house.scene.customer(None))
    done = house.apply(house_of(name))
    assert done.exit_code == 1
    assert "DescribeAccounts: AccessDenied" in done.stderr
    assert json.dumps(house.calls) == '["DescribeUsers", "DescribeAccounts"]'


def test_a_service_that_is_busy_or_starts_again_is_asked_again(
    house: Applying, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PAUSES_S", (0, 0))
    troubles: list[object] = [
        NoAnswer("It stopped.", may_be_done=True),
        (503, '{"code": "Overloaded", "message": "Later."}'),
    ]

    def trouble(*given: str) -> tuple[int, str]:
        if given[2] != "CreateAccount" or not troubles:
            return house.post(*given)
        found = troubles.pop(0)
        if isinstance(found, NoAnswer):
            house.post(*given)
            raise found
        return cast("tuple[int, str]", found)

    monkeypatch.setattr(server, "OperationCaller", calling(trouble))
    done = house.apply(house_of(name))
    assert (done.exit_code, troubles) == (0, []), done.output
    house.account(name)
    assert len(house.secrets()) == 1


@pytest.mark.parametrize("answered", [True, False])
def test_no_answer_is_3_at_once_where_none_ever_came(
    house: Applying, name: str, monkeypatch: pytest.MonkeyPatch, *, answered: bool
) -> None:
    monkeypatch.setattr(server, "PAUSES_S", (0, 0))
    asked: list[str] = []

    def silent(*given: str) -> tuple[int, str]:
        asked.append(given[2])
        if answered and len(asked) == 1:
            return house.post(*given)
        raise NoAnswer("It does not answer.", may_be_done=True)

    monkeypatch.setattr(server, "OperationCaller", calling(silent))
    done = house.apply(house_of(name))
    assert (done.exit_code, done.stderr) == (3, "leasebook: It does not answer.\n")
    assert len(asked) == (4 if answered else 1)


def test_an_address_of_something_else_is_said(house: Applying, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "OperationCaller", calling(lambda *_: (200, "<html>")))
    done = house.apply(house_of(name))
    assert (done.exit_code, "does not answer as this service does" in done.stderr) == (1, True)


def test_a_plan_names_twenty_things_that_stay_and_all_that_cannot_be_ended() -> None:
    plan = Plan("maker", left=[f"thing {number}" for number in range(25)], hindered=["busy thing"] * 30)
    lines = plan.shown()
    assert lines.count("  left: busy thing") == 30
    assert [line for line in lines if "left: thing" in line] == [f"  left: thing {number}" for number in range(20)]
    assert lines[-2:] == ["  left: 5 more", "0 to make, 0 to change, 0 to end, 0 as the file says."]
