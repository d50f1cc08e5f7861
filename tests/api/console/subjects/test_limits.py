"""Limits as rows of forms: each is added, changed and removed, and a refused value stays where it was typed."""

from __future__ import annotations

import html
import json
import re
from typing import Any, Final

import pytest

from leasebook.console.pages.admin.limit_rules import RULES, Scope, by_scope, change_of, field_of, leaves, read, typed
from leasebook.contract.action import PROJECT
from leasebook.contract.policies import READ
from tests.api.console.browser import Browser, Shown
from tests.api.console.subjects.test_administration import press
from tests.api.console.test_pages import signed_in
from tests.api.scene import ACCOUNT, IAM, Caller, ServiceHarness
from tests.depth import some

PAGE: Final = "/console/admin/limits"
GIVEN: Final = (
    ("account", "units", "gpu-1", "12", 12),
    ("account", "units", "*", "0", 0),
    ("account", "spend", "", "1,500.5", "1500.50"),
    ("account", "budget", "", "900", "900.00"),
    ("account", "budgetWarnPercent", "", "100, 50 %", [50, 100]),
    ("account", "budgetRefusePercent", "", "120 %", 120),
    ("account", "releaseMaxSeconds", "", "2 d 12 h", 216_000),
    ("account", "releaseDefaultSeconds", "", "90min", 5400),
    ("account", "endRequired", "", "", True),
    ("account", "extendBy", "", "managers", "managers"),
    ("account", "extensionsMax", "", "3", 3),
    ("account", "needsApproval.units", "gpu-1", "4", 4),
    ("account", "needsApproval.cost", "", "0.000001", "0.000001"),
    ("account", "needsApproval.releaseSeconds", "", "1小时 30分", 5400),
    ("account", "needsApproval.months", "", "6", 6),
    ("account", "needsApproval.lapseSeconds", "", "61 s", 61),
    ("account", "needsApproval.selfApproval", "", "", True),
    ("user", "units", "gpu-1", "3", 3),
    ("user", "spend", "", "77", "77.00"),
    ("user", "needsApproval", "", "", True),
    ("user", "needsApproval.cost", "", "5", "5.00"),
    ("others", "units", "*", "1", 1),
    ("project", "units", "gpu-2", "9", 9),
    ("project", "budget", "", "10", "10.00"),
    ("project", "budgetWarnPercent", "", "80", [80]),
    ("project", "endRequired", "", "", True),
    ("tag", "budget", "", "20", "20.00"),
    ("tag", "budgetRefusePercent", "", "100", 100),
)
"""For whom a limit is added, its rule, its type, the typed value, and the answer of the action afterwards."""


def kept_in(owner: Caller) -> dict[Scope, dict[tuple[str, str], Any]]:
    """Return the limits that the account has, by scope, rule and type."""
    limits = owner.do(ACCOUNT, "DescribeGuardRails")["limits"]
    return {scope: {(one.key, one.type): one.value for one in leaves(of)} for scope, of in by_scope(limits).items()}


def identity(scope: Scope) -> str:
    return json.dumps([scope.kind, scope.name, scope.value], separators=(",", ":"), ensure_ascii=False)


def add(browser: Browser, scope: Scope, rule: str, kind: str, value: str) -> Shown:
    """Send the row that adds a limit."""
    whom, tag = identity(scope), ""
    if scope.kind == "tag":
        whom, tag = identity(Scope("tag")), f"{scope.name}={scope.value}"
    page = browser.get(PAGE).text
    assert html.escape(whom, quote=False) in html.unescape(page), "the list has this choice"
    assert f'<option value="{rule}"' in page
    return press(browser, PAGE, act="add", whom=whom, tag=tag, rule=rule, type=kind, value=value)


def rows_of(shown: Shown, scope: Scope) -> dict[str, list[str]]:
    """Return the fields of the form of a scope, as a browser would send them back."""
    for form in re.findall(r"<form.*?</form>", shown.text, re.DOTALL):
        found: dict[str, list[str]] = {}
        for tag in re.findall(r"<input[^>]*>|<select.*?</select>", form, re.DOTALL):
            name = re.search(r'name="([^"]*)"', tag)
            value = re.search(r'value="([^"]*)" selected' if tag.startswith("<select") else r'value="([^"]*)"', tag)
            if name is not None and value is not None and "checkbox" not in tag:
                found.setdefault(name[1], []).append(html.unescape(value[1]))
        if found.get("whom") == [identity(scope)] and found.get("act") == ["change"]:
            return found
    raise AssertionError(f"no form of {scope}")


def row(rule: str, kind: str = "") -> str:
    return json.dumps([rule, kind], separators=(",", ":"))


def change(browser: Browser, scope: Scope, values: dict[str, str], removed: tuple[str, ...] = ()) -> Shown:
    """Type values into the rows of a form, tick rows to remove, and send it."""
    fields: dict[str, Any] = rows_of(browser.get(PAGE), scope)
    fields["value"] = [values.get(one, value) for one, value in zip(fields["row"], fields["value"], strict=True)]
    return browser.post(PAGE, fields | {"remove": list(removed)})


def test_every_limit_is_added_shown_changed_and_removed(owner: Caller, browser: Browser) -> None:
    project = owner.do(PROJECT, "CreateProject", {"name": "atlas"})["projectId"]
    user = owner.do(IAM, "CreateUser", {"name": "ada"})["userId"]
    scopes = {
        "account": Scope("account"),
        "user": Scope("user", user),
        "others": Scope("user", "*"),
        "project": Scope("project", project),
        "tag": Scope("tag", "team=a"[:4], "red=1"),
    }
    assert {rule for _, rule, *_ in GIVEN} == set(RULES)
    expected: dict[Scope, dict[tuple[str, str], Any]] = {Scope("account"): {}}
    for whom, rule, kind, text, value in GIVEN:
        answer = add(browser, scopes[whom], rule, kind, text)
        assert answer.status == 200, (whom, rule, answer.words())
        assert "What was changed" in answer.words(), (whom, rule)
        of = expected.setdefault(scopes[whom], {})
        of[rule, kind] = value
        if rule == "needsApproval.cost":
            of.pop(("needsApproval", ""), None)
        assert kept_in(owner) == expected, (whom, rule)
    shown = browser.get(PAGE)
    for title in ("The account", "ada", "Each other user", "Project atlas", "team=red=1", "2 d 12 h", "1 h 30 min"):
        assert title in html.unescape(shown.text), title
    # A form that is sent as it came changes nothing.
    for scope in expected:
        before = owner.do(ACCOUNT, "DescribeGuardRails")["limits"]
        assert browser.post(PAGE, rows_of(shown, scope)).status == 303
        assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"] == before
    for scope, of in expected.items():
        answer = change(browser, scope, {}, tuple(row(*one) for one in of))
        assert answer.status == 200, (scope, answer.words())
    assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"] == {}


def test_only_the_rows_that_were_changed_are_sent(owner: Caller, browser: Browser) -> None:
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"units": {"gpu-1": 5, "gpu-2": 6}, "budget": "70", "spend": "90"}})
    fields: dict[str, Any] = rows_of(browser.get(PAGE), Scope("account"))
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"spend": "95"}})
    fields["value"] = ["8" if one == row("units", "gpu-1") else value
                       for one, value in zip(fields["row"], fields["value"], strict=True)]  # fmt: skip
    answer = browser.post(PAGE, fields | {"remove": [row("units", "gpu-2")]})
    assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"] == {
        "units": {"gpu-1": 8}, "budget": "70.00", "spend": "95.00"
    }  # fmt: skip
    words = answer.words()
    assert "The account Units of gpu-1, at most 5 8" in words
    assert "The account Units of gpu-2, at most 6 none" in words


@pytest.mark.parametrize(
    ("rule", "kind", "text", "said"),
    some(
        [
            ("units", "gpu-1", "many", "whole number from 0"),
            ("budget", "", "1.2345678", "at most six decimal places"),
            ("releaseMaxSeconds", "", "30 s", "at least a minute"),
            ("units", "", "4", "type of units"),
            ("units", "gpu-1", "1000000001", "whole number from 0"),
            ("budgetRefusePercent", "", "0", "percentage from 1 to 1000"),
            ("budgetWarnPercent", "", "50", "Parts of a budget need the budget"),
            ("budgetWarnPercent", "", "", "Give up to 20 percentages"),
            ("needsApproval.months", "", "121", "from 0 to 120"),
            ("extendBy", "", "everyone", "buyer or managers"),
            ("none", "", "1", "Choose a limit"),
        ],
        4,
    ),
)
def test_a_limit_that_is_refused_stays_in_its_row(
    owner: Caller, browser: Browser, rule: str, kind: str, text: str, said: str
) -> None:
    fields = {"whom": identity(Scope("account")), "rule": rule, "type": kind, "value": text}
    refused = press(browser, PAGE, act="add", **fields)
    assert refused.status == 400, refused.words()
    assert said in refused.words()
    assert f'value="{html.escape(text)}" autocomplete="off" aria-invalid="true"' in refused.text
    assert rule not in RULES or f'<option value="{rule}" selected>' in refused.text
    assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"] == {}


def test_a_refused_value_is_marked_at_its_field_and_all_others_stay(owner: Caller, browser: Browser) -> None:
    limits = {"units": {"gpu-1": 5, "gpu-2": 6}, "budget": "70", "needsApproval": {"months": 3}}
    owner.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    before = owner.do(ACCOUNT, "DescribeGuardRails")["limits"]
    typed_in = {row("units", "gpu-1"): "<b>7", row("budget"): "88"}
    refused = change(browser, Scope("account"), typed_in, (row("needsApproval.months"),))
    assert refused.status == 400
    fields = rows_of(refused, Scope("account"))
    shown = dict(zip(fields["row"], fields["value"], strict=True))
    assert shown[row("units", "gpu-1")] == "<b>7"
    assert (shown[row("budget")], shown[row("units", "gpu-2")]) == ("88", "6")
    assert len(re.findall(r"value=\"&lt;b&gt;7\"[^>]*aria-invalid", refused.text)) == 1
    assert refused.text.count("aria-invalid") == 1
    assert len(re.findall(r'name="remove"[^>]* checked', refused.text)) == 1
    assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"] == before


def test_a_limit_is_refused_for_those_who_cannot_have_it(browser: Browser) -> None:
    fields = {"whom": identity(Scope("tag")), "tag": "team=red", "rule": "spend", "value": "1"}
    assert "for these only: the account, users, projects" in press(browser, PAGE, act="add", **fields).words()
    assert "key=value" in press(browser, PAGE, act="add", **fields | {"tag": "team"}).words()
    refused = press(browser, PAGE, act="add", **fields | {"whom": "{"})
    assert (refused.status, "Choose for whom" in refused.words()) == (400, True)


def test_a_reader_sees_limits_and_no_form(scene: ServiceHarness, owner: Caller) -> None:
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"units": {"gpu-1": 5}, "needsApproval": {}}})
    reader = signed_in(scene, owner, READ)
    shown = reader.get(PAGE)
    assert "Units of gpu-1, at most 5 0 used" in shown.words()
    assert "No purchase needs an approval yes" in shown.words()
    assert not shown.has_form(PAGE)
    token = shown.form("/console/sign-out")
    fields = {"act": "add", "whom": identity(Scope("account")), "rule": "units", "type": "gpu-1", "value": "9"}
    assert reader.post(PAGE, token | fields).status == 403
    assert reader.post(PAGE, fields).status == 403
    assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"]["units"] == {"gpu-1": 5}


def test_limits_are_in_chinese(scene: ServiceHarness, owner: Caller) -> None:
    browser = Browser(scene, language="zh-CN")
    browser.sign_in(owner.do(IAM, "DescribeUsers")["users"][0]["userId"])
    words = add(browser, Scope("account"), "needsApproval.units", "gpu-1", "4").words()
    assert not re.search(r"approval|Value|Remove|Before|units of", words), words
    refused = press(browser, PAGE, act="add", whom=identity(Scope("account")), rule="spend", value="x").words()
    assert "六位小数" in refused


def test_what_is_typed_is_read_and_written_the_same() -> None:
    for how, text, value in (
        ("span", "1 d", 86_400), ("span", "1 h 1 min 1 s", 3661), ("percents", "1, 1000", [1, 1000]),
        ("count", "0", 0), ("amount", "0.000001", "0.000001"), ("extender", "buyer", "buyer"), ("set", "", True),
    ):  # fmt: skip
        assert read(how, text) == value  # type: ignore[arg-type]
        assert typed(how, value) == text  # type: ignore[arg-type]
    assert field_of(Scope("user", "u1"), "needsApproval.units", "gpu") == "limits.userNeedsApproval.u1.units.gpu"
    assert change_of({}, Scope("project", "p"), []) == {"projects": {"p": {}}}


@pytest.mark.parametrize(
    ("typed", "said"),
    [("{", "not JSON"), ("", "not JSON"), ("[" * 20_000, "not JSON"), ('{"none": 1}', "none"),
     ('{"budget": "many"}', "budget"), ("[]", "limits"), ('{"budget": 1e999}', ""), ('"</textarea><b>"', "")],
    ids=range(8),
)  # fmt: skip
def test_limits_that_are_refused_stay_in_the_form(browser: Browser, owner: Caller, typed: str, said: str) -> None:
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"budget": "70"}})
    refused = press(browser, "/console/admin/limits", limits=typed)
    assert refused.status == 400
    assert said in refused.words()
    shown = re.search(r"<textarea[^>]*>(.*?)</textarea>", refused.text, re.DOTALL)
    assert shown is not None
    assert html.unescape(shown[1]) == typed
    assert owner.do(ACCOUNT, "DescribeGuardRails")["limits"]["budget"] == "70.00"


def test_limits_are_replaced(browser: Browser, owner: Caller) -> None:
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"budget": "70"}})
    press(browser, "/console/admin/limits", limits='{"units": {"gpu-1": 5}}')
    limits = owner.do(ACCOUNT, "DescribeGuardRails")["limits"]
    assert (limits["units"], limits.get("budget")) == ({"gpu-1": 5}, None)
    shown = browser.get("/console/admin/limits")
    assert '"gpu-1": 5' in html.unescape(shown.text)
    assert "Units of gpu-1, at most" in shown.words()
    assert "0 used" in shown.words()
