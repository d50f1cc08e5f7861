"""``export`` writes a file, and to apply it is nothing to do: for houses with everything, and for random ones."""

from __future__ import annotations

import stat
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leasebook.cli.house.house import text_of
from leasebook.cli.house.reading import escaped
from tests.api.house.conftest import Applying
from tests.api.house.test_interrupted import whole
from tests.api.house.test_kinds import LIMITS, house_of
from tests.api.scene import ACCOUNT, CATALOG, IAM
from tests.depth import few

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
SPANS = st.integers(60, 10**6).map(lambda seconds: f"{seconds}s")
AMOUNTS = st.decimals(0, 10**6, places=6, allow_nan=False).map(lambda amount: f"{amount:f}")
POLICIES = st.lists(
    st.sampled_from(["QianfanReadAccessPolicy", "QianfanServiceOperateAccessPolicy", "QianfanFullControlAccessPolicy"]),
    unique=True,
)
USER = st.fixed_dictionaries({"policies": POLICIES}, optional={"language": st.sampled_from(["en", "zh-CN"])})
TYPES = st.dictionaries(st.sampled_from(["cpu", "gpu-1"]), st.integers(0, 9), min_size=1)


def exported(house: Applying) -> str:
    done = house.run("export")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def comes_back(house: Applying) -> str:
    """Export, and apply that: there is nothing to do. Returns the file."""
    text = exported(house)
    plan = house.plan(text, "--prune")
    assert (plan.exit_code, plan.stderr) == (0, ""), f"{text}\n{plan.output}"
    assert " 0 to make" not in plan.stdout
    assert "left:" not in plan.stdout
    assert exported(house) == text
    return text


@pytest.mark.both_stores
def test_everything_comes_back(lone_house: Applying, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lone_house.apply(whole(name)).exit_code == 0
    parts = ("users: {ci: {}}", "projects: {atlas: {}}")
    assert lone_house.apply(house_of(f"{name}-limits", *parts, *LIMITS)).exit_code == 0
    for_projects = "users: {li: {policies: [], projectPolicies: {'a $ b': [QianfanReadAccessPolicy], default: []}}}"
    assert lone_house.apply(house_of(f"{name}-projects", "projects: {'a $ b': {}}", for_projects)).exit_code == 0
    operator = lone_house.scene.operator
    # Two of one name, one without, one that is closed, one without renewals, and a limit for a root.
    for _ in range(2):
        operator.do(IAM, "CreateAccount", {"name": f"{name}-twin"})
    operator.do(IAM, "CreateAccount", {})
    closed = operator.do(IAM, "CreateAccount", {"name": f"{name}-closed"})["accountId"]
    operator.do(IAM, "CloseAccount", {"accountId": closed})
    operator.do(CATALOG, "CloseOffering", {"region": "bj", "type": name, "noRenewals": True})
    account_id = lone_house.account(name)["accountId"]
    for _ in range(2):
        operator.do(IAM, "CreateUser", {"accountId": account_id, "name": "${twin}"})
    (root,) = (
        one["userId"] for one in operator.do(IAM, "DescribeUsers", {"accountId": account_id})["users"] if one["isRoot"]
    )
    limits = {"userSpend": {root: "3", "*": "0.000001"}}
    operator.do(ACCOUNT, "SetGuardRails", {"accountId": account_id, "limits": limits})
    text = comes_back(lone_house)
    assert f"{name}-closed" not in text
    assert text.count("$${twin}") == 4
    assert "closed: noRenewals" in text
    monkeypatch.setattr("leasebook.cli.house.server.PAGE", 1)
    assert exported(lone_house) == text


@st.composite
def houses(draw: st.DrawFn) -> dict[str, Any]:
    users = draw(st.dictionaries(NAMES.filter(lambda name: name != "*"), USER, max_size=2))
    named = st.sampled_from(["*", *users])
    limits = st.fixed_dictionaries(
        {},
        optional={
            "units": TYPES,
            "userUnits": st.dictionaries(named, TYPES, min_size=1),
            "userSpend": st.dictionaries(named, AMOUNTS, min_size=1),
            "spend": AMOUNTS,
            "releaseDefault": SPANS,
            "releaseMax": SPANS,
            "endRequired": st.booleans(),
            "extendBy": st.sampled_from(["anybody", "buyer", "managers"]),
            "extensionsMax": st.integers(0, 9),
        },
    )
    drawn: dict[str, Any] = draw(limits)
    facts = {
        "openingBalance": "1",
        "users": {escaped(name): user for name, user in users.items()},
        "limits": {
            key: {escaped(name): one for name, one in value.items()} if key.startswith("user") else value
            for key, value in drawn.items()
        },
        "reminders": draw(st.lists(SPANS.filter(lambda span: int(span[:-1]) < 90 * 86400), max_size=3)),
    }
    return {escaped(draw(NAMES)): facts}


@settings(
    max_examples=few(2, 8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(accounts=houses())
def test_a_random_house_is_made_in_one_run_and_comes_back(lone_house: Applying, accounts: dict[str, Any]) -> None:
    text = text_of({"house": "random", "accounts": accounts})
    done = lone_house.apply(text)
    if "The service has 2 of the name" in done.stderr:
        return
    assert (done.exit_code, done.stderr) == (0, ""), f"{text}\n{done.output}"
    assert lone_house.plan(text).exit_code == 0
    comes_back(lone_house)


def test_a_file_that_is_written_is_new_and_its_owners_alone(lone_house: Applying) -> None:
    path = lone_house.folder / "lone_house.yaml"
    assert lone_house.run("export", "--file", str(path), "--house", "other").exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().splitlines()[1] == "house: other"
    again = lone_house.run("export", "--file", str(path))
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    path.unlink()


@pytest.mark.parametrize("text", ["", "~", "null", "true", "0x1F", "1:30", "- a", "a: b", "#", "${X}", "$${", "\u2028"])
def test_every_text_is_read_as_it_was_written(text: str) -> None:
    import os

    from leasebook.cli.house.reading import Table, Text, read

    tree = read(text_of({"a": escaped(text)}).encode(), os.environ)
    assert isinstance(tree, Table)
    found = tree.entries["a"]
    assert isinstance(found, Text)
    assert (found.value, found.is_null) == (text, False)
