"""The pages *Services* and *Models*, without a browser: a service with a real process, its calls, and its deeds."""

from __future__ import annotations

import ast
import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leasebook.console.pages.services.calls import SPANS, last_minute_of, names_of, starts_of
from leasebook.contract.policies import FLEET_READ, FULL, MODEL_READ, OPERATE, OPERATOR, READ, SERVICE_READ
from leasebook.reconciler.ports import Timing
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.console.browser import Browser
from tests.api.console.test_pages import newcomer, signed_in
from tests.api.scene import IAM, MODEL, SERVICE, UNITS, Caller, ServiceHarness, a_scene, new_service
from tests.api.test_failure_events import served, until
from tests.copies import STORES, copy_of

SETTINGS = {
    "LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000",
    "LEASEBOOK_ENGINES": "cpu=process, *=instant",
    "LEASEBOOK_ENGINES_PROCESS_UNITS": "cpu=8",
}
TIMING = Timing(look_s=0.1, observe_s=0.1, busy_s=0.05)


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    name = "opened" if request.param == "sqlite" else "opened_database"
    original = request.getfixturevalue(name)
    source = Target(original) if isinstance(original, Path) else original
    directory = tmp_path_factory.mktemp("services") / "data"
    with (
        copy_of(source, directory) as where,
        a_scene(where, environment=SETTINGS, timing=TIMING) as made,
    ):
        made.sell(stock=1_000_000)
        made.sell("bj", "cpu", stock=8)
        yield made
        assert check_store(made.where).findings == []


@pytest.fixture
def owner(scene: ServiceHarness) -> Caller:
    """The root of an account of its own."""
    return scene.customer("100000")


def talker(owner: Caller, name: str = "chatter", *, replicas: int = 1, **more: Any) -> dict[str, str]:
    """Buy a service that speaks the OpenAI API, with replicas of the small example."""
    models = owner.do(MODEL, "CreateCustomModelSet", {"modelSetName": name})
    command = [sys.executable, "-m", "leasebook.examples.completion", "--port", "{port}"]
    run = {"command": command, "healthPath": "/health"}
    model = owner.do(MODEL, "CreateCustomModel", {**models, "run": run})
    owner.operator.do(MODEL, "ApproveModel", {"modelId": model["modelId"]})
    body = new_service(type="cpu-1", region="bj", replicasCount=replicas) | models | model
    named = {"name": name, "urlSuffix": name, "serviceType": "chat", "billing": {"paymentTiming": "Postpaid"}}
    made: dict[str, str] = owner.do(SERVICE, "CreateService", body | named | more)
    return made


def counted(owner: Caller, name: str = "talker", **more: Any) -> str:
    """Make a service that is only counted."""
    body = new_service() | {"name": name, "urlSuffix": name, "serviceType": "chat", "counted": True} | more
    return str(owner.do(SERVICE, "CreateService", body)["serviceId"])


def test_a_replica_is_shown_with_its_health_its_instance_and_its_lines(scene: ServiceHarness, owner: Caller) -> None:
    made = served(owner, "running", "sh", "-c", "echo weights '<loaded>'; exec sleep 600")
    home = f"/console/services/{made['serviceId']}"
    browser = signed_in(scene, owner)
    until(scene, lambda: "1 of 1 healthy" in browser.get("/console/services").words())
    page = browser.get(home)
    assert "Healthy" in page.words()
    assert f'/console/units/{made["instanceId"]}"' in page.text
    part = browser.get(home, hx_request="true")
    assert "<html" not in part.text
    assert "1 healthy" in part.words()
    (lines,) = {html.unescape(one) for one in re.findall(r'href="([^"]+/logs[^"]+)"', page.text)}
    until(scene, lambda: "weights <loaded>" in browser.get(lines).words())
    assert "weights &lt;loaded&gt;" in browser.get(lines).text
    # Fewer replicas end some: that is asked once more, and stays as it was until it is confirmed.
    sure = browser.send(page, f"{home}/scale", unit=made["instanceId"], replicas="0")
    assert "End 1 replica?" in sure.words()
    assert owner.usage(made["instanceId"])[0]["replicasCount"] == 1
    refused = browser.send(browser.get(home), f"{home}/delete", sure="1")
    assert (refused.status, "InvalidState" in refused.words()) == (409, True)
    page = browser.send(sure, f"{home}/scale")
    assert "Its replicas are changed." in page.words()
    assert owner.usage(made["instanceId"]) == []
    assert browser.send(page, f"{home}/scale", unit=made["instanceId"], replicas="many").status == 400
    page = browser.send(page, f"{home}/scale", unit=made["instanceId"], replicas="1")
    assert owner.usage(made["instanceId"])[0]["replicasCount"] == 1
    sure = browser.send(page, f"{home}/stop")
    assert "1 replica ends" in sure.words()
    assert made["instanceId"] in sure.text
    assert owner.service(made["serviceId"])["runStatus"] != "Stopped"
    page = browser.send(sure, f"{home}/stop")
    assert owner.service(made["serviceId"])["runStatus"] == "Stopped"
    assert not page.has_form(f"{home}/stop")
    page = browser.send(page, f"{home}/start")
    assert owner.service(made["serviceId"])["runStatus"] != "Stopped"
    assert page.has_form(f"{home}/stop")
    # The version that it runs: an operator withdraws the approval, and approves it again.
    model = owner.service(made["serviceId"])["modelId"]
    operator = signed_in(scene, owner, OPERATOR)
    version = f"/console/models/versions/{model}"
    assert operator.get(f"/console/models?version={model}").location == version
    sure = operator.send(operator.get(version), f"{version}/withdraw")
    assert "1 service runs it." in sure.words()
    assert owner.do(MODEL, "DescribeModel", {"modelId": model})["trusted"] is True
    page = operator.send(sure, f"{version}/withdraw")
    assert owner.do(MODEL, "DescribeModel", {"modelId": model})["trusted"] is False
    assert "Not trusted" in browser.get(version).words()
    assert not browser.get(version).has_form(f"{version}/approve")
    page = operator.send(page, f"{version}/approve")
    assert "It is approved" in page.words()
    assert owner.do(MODEL, "DescribeModel", {"modelId": model})["trusted"] is True
    assert "weights" in page.words()


def test_services_are_filtered_paged_and_deleted(scene: ServiceHarness, owner: Caller) -> None:
    browser = signed_in(scene, owner)
    assert "There are no services yet" in browser.get("/console/services").words()
    ids = [counted(owner, f"name-{number:02}") for number in range(21)]
    first = browser.get("/console/services")
    assert (ids[-1] in first.text, ids[0] in first.text) == (True, False)
    assert "only counted" in first.words()
    (following,) = {html.unescape(one) for one in re.findall(r'href="([^"]+marker=[^"]+)"', first.text)}
    assert ids[0] in browser.get(following).text
    found = browser.get("/console/services?name=name-03&status=New")
    assert [one for one in ids if one in found.text] == [ids[3]]
    assert "No service fits" in browser.get("/console/services?status=Serving").words()
    assert "<html" not in browser.get("/console/services?name=x", hx_request="true").text
    home = f"/console/services/{ids[0]}"
    page = browser.get(home)
    # It runs nothing, so that there is a place for it on an instance of the account.
    unit = owner.buy()
    page = browser.get(home)
    assert f'<option value="{unit}">' in page.text
    assert "it is only counted" in page.words()
    sure = browser.send(page, f"{home}/delete")
    assert "cannot be brought back" in sure.words()
    assert owner.service(ids[0])["name"] == "name-00"
    page = browser.send(sure, f"{home}/delete")
    assert ids[0] not in browser.get("/console/services?name=name-00").text
    assert browser.get(home).status == 404


def test_calls_and_tokens_are_charted_and_summed_by_app(scene: ServiceHarness, owner: Caller) -> None:
    service, other = counted(owner), counted(owner, "other")
    home = f"/console/services/{service}"
    browser = signed_in(scene, owner)
    assert "It was not called in this time." in browser.get(home).words()
    for app, tokens in (("app-1", 1200), ("app-2", 34)):
        body = {"serviceId": service, "appId": app, "inputTokens": tokens, "outputTokens": 5, "succeeded": 2}
        owner.do(SERVICE, "CountServiceCalls", body | {"failed": 1})
    owner.do(SERVICE, "CountServiceCalls", {"serviceId": other, "appId": "app-3", "succeeded": 1})
    page = browser.get(home)
    assert "app-1 2 1 1,200 5" in page.words()
    assert "app-2 2 1 34 5" in page.words()
    assert "app-3" not in page.text
    assert re.findall(r"<title>2030-01-15: ([\d,]+) (\w+)", page.text) == [("6", "calls"), ("1,244", "tokens")]
    # Lines across are at whole numbers.
    assert re.findall(r'<text x="0" y="[\d.]+">([^<]+)</text>', page.text)[:4] == ["0", "2", "4", "6"]
    hours = browser.get(f"{home}?span=day")
    now = datetime.fromisoformat(owner.service(service)["createTime"])
    assert re.findall(r"<title>([^:]+:\d\d): 6 calls", hours.text) == [f"{now:%m-%d %H}:00"]
    assert "app-1 2 1 1,200 5" in browser.get(f"{home}?span=month").words()
    assert browser.get(f"{home}?span=forever").status == 200


def test_intervals_are_days_of_the_accounts_zone_over_a_change_of_clocks() -> None:
    local = datetime(2030, 4, 1, 12, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # Clocks went forward on 31 March.
    starts = starts_of(SPANS["week"], local)
    assert names_of(SPANS["week"], starts) == [f"2030-03-{day}" for day in range(26, 32)] + ["2030-04-01"]
    # The action counts days of 24 hours.
    assert {later.timestamp() - earlier.timestamp() for earlier, later in pairwise(starts)} == {86_400.0}
    hours = starts_of(SPANS["day"], local)
    assert (len(hours), hours[-1].minute) == (24, 0)
    assert names_of(SPANS["day"], hours)[-1] == "04-01 12:00"


@pytest.mark.parametrize(
    ("zone", "local", "names"),
    [
        ("Europe/Berlin", "2030-10-27T03:30", ["10-27 01:00", "10-27 02:00", "10-27 02:00 +0100", "10-27 03:00"]),
        ("Europe/Berlin", "2030-03-31T04:30", ["03-31 00:00", "03-31 01:00", "03-31 03:00", "03-31 04:00"]),
        # The clocks move by half an hour, and the action counts whole ones.
        ("Australia/Lord_Howe", "2030-04-07T03:10", ["04-07 00:30", "04-07 01:30", "04-07 02:00", "04-07 03:00"]),
    ],
)
def test_intervals_are_whole_hours_over_a_change_of_clocks(zone: str, local: str, names: list[str]) -> None:
    starts = starts_of(SPANS["day"], datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)))
    assert names_of(SPANS["day"], starts)[-4:] == names
    assert {later.timestamp() - earlier.timestamp() for earlier, later in pairwise(starts)} == {3600.0}
    assert len({*names_of(SPANS["day"], starts)}) == len(starts) == 24
    for span in SPANS.values():
        starts = starts_of(span, datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)))
        assert last_minute_of(span, starts).timestamp() - starts[-1].timestamp() == span.seconds - 60


def test_the_snippets_have_the_address_that_the_caller_sees_and_are_programs(
    scene: ServiceHarness, owner: Caller, tmp_path: Path
) -> None:
    browser = signed_in(scene, owner)
    for kind, part in (
        ("chat", "chat.completions.create"),
        ("completions", "completions.create"),
        ("text2image", "urlopen"),
    ):
        service = counted(owner, kind.lower() + "-it", serviceType=kind)
        page = browser.get(f"/console/services/{service}")
        named = re.findall(r"<summary>([^<]+)</summary><pre[^>]*><code>(.*?)</code>", page.text, re.DOTALL)
        texts = {name: html.unescape(text) for name, text in named}
        assert len(texts) == 4
        address = (
            "http://leasebook.test/v2" if kind != "text2image" else "http://leasebook.test/services/text2image-it/"
        )
        assert all(address in text and "LEASEBOOK_SERVICE_KEY" in text for text in texts.values())
        python = next(text for name, text in texts.items() if name.startswith("Python"))
        assert part in python
        ast.parse(python)
        assert subprocess.run(["bash", "-n"], input=texts["curl"].encode(), check=False).returncode == 0
        (tmp_path / "call.mjs").write_text(texts["Node.js"])
        assert subprocess.run(["node", "--check", tmp_path / "call.mjs"], check=False).returncode == 0
        assert texts["Go"].count("{") == texts["Go"].count("}")


def test_a_service_is_tried_as_the_user_who_is_signed_in(scene: ServiceHarness, owner: Caller) -> None:
    made = talker(owner, qps=None)
    home = f"/console/services/{made['serviceId']}"
    browser = signed_in(scene, owner)
    until(scene, lambda: "1 of 1 healthy" in browser.get("/console/services").words())
    page = browser.get(home)
    asked = page.form(f"{home}/try") | {"say": "Who is <there>?", "tokens": "12"}
    # A busy machine may answer a look at its health late, and then it takes no calls for a moment.
    whole = until(scene, lambda: one if (one := browser.post(f"{home}/try", asked)).status == 200 else None)
    (answer,) = re.findall(r"<p class=\"said\" data-answer>(.+?)</p>", whole.text, re.DOTALL)
    assert "Who is &lt;there&gt;?</textarea>" in whole.text
    assert re.search(r"\d+ tokens in, \d+ out\.", whole.words())
    # The script gets the same piece by piece: the example answers the same question alike.
    streamed = browser.post(f"{home}/try", asked, hx_request="true")
    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert "".join(line.get("text", "") for line in lines) == html.unescape(answer)
    assert len([line for line in lines if "text" in line]) > 1
    assert lines[-1]["done"].endswith("out.")
    # Both are counted for the service, under the user.
    user = next(one["userId"] for one in owner.do(IAM, "DescribeUsers")["users"] if one["isRoot"])
    until(scene, lambda: f"The console {user} 2 " in browser.get(home).words())
    for fields, words in (
        ({"say": ""}, "Write something"),
        ({"tokens": "0"}, "from 1 to"),
        ({"tokens": "x"}, "from 1"),
        # The first digits alone are few enough, and all of them are more than Python reads.
        ({"tokens": "000000001" + "9" * 5000}, "from 1"),
    ):
        refused = browser.post(f"{home}/try", asked | fields)
        assert (refused.status, words in refused.words()) == (400, True), fields
    # A reader of the account may make no service keys: the page has no box, and the gateway lets the call not in.
    reader = signed_in(scene, owner, READ)
    assert not reader.get(home).has_form(f"{home}/try")
    token = reader.get("/console").form("/console/sign-out")
    refused = reader.post(f"{home}/try", token | {"say": "hello"}, hx_request="true")
    assert (refused.status, "may not call services" in refused.words()) == (403, True)
    # Other accounts do not find it.
    other = signed_in(scene, scene.customer("1000"))
    token = other.get("/console").form("/console/sign-out")
    assert other.post(f"{home}/try", token | {"say": "hello"}).status == 404
    owner.do(SERVICE, "DeactivateService", {"serviceId": made["serviceId"]})
    off = browser.post(f"{home}/try", asked)
    assert (off.status, "is switched off" in off.words()) == (503, True)
    service = counted(owner, "only-counted")
    assert not browser.get(f"/console/services/{service}").has_form(f"/console/services/{service}/try")


def test_a_call_at_the_console_is_bounded_as_any_other(scene: ServiceHarness, owner: Caller) -> None:
    made = talker(owner, "slow", resourceConfig={"type": "cpu-1", "region": "bj", "replicasCount": 1, "qps": 0.01})
    home = f"/console/services/{made['serviceId']}"
    browser = signed_in(scene, owner)
    until(scene, lambda: "1 healthy" in browser.get(home, hx_request="true").words())
    asked = browser.get(home).form(f"{home}/try") | {"say": "hello", "tokens": "4"}
    # A busy machine may answer a look at its health late, and then it takes no calls for a moment.
    until(scene, lambda: browser.post(f"{home}/try", asked).status == 429)
    assert "calls a second" in browser.post(f"{home}/try", asked).words()


def test_the_lines_of_a_replica_are_followed(scene: ServiceHarness, owner: Caller) -> None:
    made = served(owner, "counting", "sh", "-c", "n=0; while :; do n=$((n+1)); echo line-$n; sleep 0.1; done")
    home = f"/console/services/{made['serviceId']}"
    browser = signed_in(scene, owner)
    until(scene, lambda: "1 healthy" in browser.get(home, hx_request="true").words())
    unit = browser.get(f"/console/units/{made['instanceId']}")
    assert "Replica 0 Healthy" in unit.words()
    (lines,) = {html.unescape(one) for one in re.findall(r'data-lines="([^"]+)"', unit.text)}
    stream = browser.follow(lines, lambda text: text.count("event: lines") > 2)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.startswith("event: restart")
    pieces = [json.loads(one) for one in re.findall(r"event: lines\ndata: (.+)", stream.text)]
    came = [line for piece in pieces for line in piece]
    # None twice, and none left out.
    first = int(came[0].partition("-")[2])
    assert came == [f"line-{number}" for number in range(first, first + len(came))]
    refused = signed_in(scene, scene.customer("1000")).get(lines)
    assert refused.status == 404


NEW = "/console/services/new"


def version_of(owner: Caller) -> str:
    """Add a model; returns its set and version as the form names them."""
    models = owner.do(MODEL, "CreateCustomModelSet", {"modelSetName": "own"})
    run = {"command": ["sleep", "600"], "port": None}
    return f"{models['modelSetId']}/{owner.do(MODEL, 'CreateCustomModel', {**models, 'run': run})['modelId']}"


def test_a_service_is_created_on_units_that_are_bought_for_a_price_that_is_confirmed(
    scene: ServiceHarness, owner: Caller
) -> None:
    browser, version = signed_in(scene, owner), version_of(owner)
    page = browser.get(NEW)
    assert f'<option value="{version}">own V1' in page.text
    bought = {
        "model": version,
        "name": "Night shift",
        "where": "buy",
        "offering": "bj/gpu-1",
        "size": "2",
        "replicas": "3",
        "timing": "Postpaid",
        "choice": "tonight",
        "months": "1",
    }
    part = browser.post(f"{NEW}/check", page.form(NEW) | bought, hx_request="true")
    assert "<html" not in part.text
    # 6 units at 0.5 a minute.
    assert ("4,320.00" in part.words(), "/services/night-shift" in part.words()) == (True, True)
    sure = browser.send(page, NEW, None, **bought)
    assert "Buy 6 units for Night shift?" in sure.words()
    assert "There are no services yet" in browser.get("/console/services").words()
    scene.sell(minute="0.6", stock=1_000_000)
    sure = browser.send(sure, NEW)
    assert (sure.status, "The price has changed since you saw it." in sure.words()) == (409, True)
    assert "There are no services yet" in browser.get("/console/services").words()
    fields = sure.form(NEW)
    made = [browser.post(NEW, fields).location for _ in range(2)]
    # Sent again when the price has changed, it is asked about again, and still is the same form.
    scene.sell(stock=1_000_000)
    made[1] = browser.post(NEW, browser.post(NEW, fields).form(NEW)).location
    assert made[0] == made[1]
    service = owner.service(made[0].partition("?")[0].rpartition("/")[2])
    assert (service["name"], service["urlSuffix"]) == ("Night shift", "night-shift")
    assert service["resourceConfig"]["type"] == "GPU-1-2"
    (unit,) = owner.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
    assert (unit["totalComputeUnits"], unit["releaseTime"]) == (6, "2030-01-15T22:00:00+08:00")
    page = browser.send(browser.get(NEW), NEW, None, **{**bought, "where": "none", "name": "later"})
    assert "It has replicas on no instance." in page.words()
    reader = signed_in(scene, owner, READ)
    assert (reader.get(NEW).status, NEW in reader.get("/console/services").text) == (403, False)


def test_a_service_is_created_on_an_instance_and_moves_to_another(scene: ServiceHarness, owner: Caller) -> None:
    browser, version = signed_in(scene, owner), version_of(owner)
    first, second, small = owner.buy(count=4), owner.buy(count=4), owner.buy(count=1)
    placed = {"model": version, "name": "day", "where": "instance", "instance": first, "size": "1", "replicas": "2"}
    part = browser.post(f"{NEW}/check", browser.get(NEW).form(NEW) | placed, hx_request="true")
    assert "2 of 4 free units" in part.words()
    page = browser.send(browser.get(NEW), NEW, None, **placed)
    assert "It was created." in page.words()
    home = page.address
    sure = browser.send(page, f"{home}/move", unit=first, to=second)
    assert f"Move day to {second}?" in sure.words()
    assert (len(owner.usage(first)), owner.usage(second)) == (1, [])
    page = browser.send(sure, f"{home}/move")
    assert "Its replicas move." in page.words()
    assert (owner.usage(first), owner.usage(second)[0]["replicasCount"]) == ([], 2)
    # A second press finds nothing to do, and where there is no room nothing changes.
    assert "Its replicas move." in browser.send(sure, f"{home}/move").words()
    sure = browser.send(page, f"{home}/move", unit=second, to=small)
    assert browser.send(sure, f"{home}/move").status >= 400
    assert (owner.usage(second)[0]["replicasCount"], owner.usage(small)) == (2, [])
    for fields, words in (
        ({"model": ""}, "Choose a version"),
        ({"name": "\u8bd5", "suffix": ""}, "Give the end of its address"),
        ({"instance": ""}, "Choose an instance"),
        ({"replicas": "many"}, "whole number"),
        ({"replicas": "9"}, small),
    ):
        refused = browser.send(browser.get(NEW), NEW, None, **{**placed, "instance": small, **fields})
        assert (refused.status >= 400, words in refused.words()) == (True, True), fields


ROLES = {
    "no policy yet": (),
    "reader": (READ,),
    "service reader": (SERVICE_READ,),
    "model reader": (MODEL_READ,),
    "buyer": (OPERATE,),
    "manager": (FULL,),
    "fleet reader": (FLEET_READ,),
    "operator": (OPERATOR,),
}
DEEDS = re.compile(r'action="(/console/(?:services|models)/[^"]+)"')


def test_every_role_sees_what_it_may_and_no_deed_that_is_refused(scene: ServiceHarness, owner: Caller) -> None:
    service = counted(owner)
    models = owner.do(MODEL, "CreateCustomModelSet", {"modelSetName": "mine"})
    run = {"command": ["sleep", "1"], "port": None}
    model = owner.do(MODEL, "CreateCustomModel", {**models, "run": run})["modelId"]
    stranger = counted(scene.customer("1000"))
    pages = (
        *("/console/services", f"/console/services/{service}", f"/console/services/{stranger}"),
        *(f"/console/services/{service}/logs", f"/console/services/{service}/logs?unit=u&replica=x"),
        *("/console/models", f"/console/models/{models['modelSetId']}", f"/console/models/versions/{model}"),
        *("/console/models/am-none", "/console/models/versions/amv-none", "/console/services?marker=x"),
    )
    offered: dict[str, set[str]] = {}
    for role, policies in ROLES.items():
        browser = signed_in(scene, owner, *policies) if policies else newcomer(scene, owner)
        deeds = offered[role] = set()
        for address in pages:
            page = browser.get(address)
            at = role, address, page.status
            assert page.status < 500, at
            assert page.status >= 400 or stranger not in page.text, at
            assert len(page.text) < 61_440, at
            deeds |= {one.rpartition("/")[2] for one in DEEDS.findall(page.text)}
        token = browser.get("/console").form("/console/sign-out")
        if not {OPERATE, FULL} & {*policies}:
            answer = browser.post(f"/console/services/{service}/delete", token | {"sure": "1"})
            assert answer.status in (400, 403), role
        if OPERATOR not in policies:
            answer = browser.post(f"/console/models/versions/{model}/approve", token)
            assert answer.status in (400, 403), role
        menu = browser.get("/console").text
        for name, seen in (
            ("services", {READ, SERVICE_READ, OPERATE, FULL}),
            ("models", {READ, SERVICE_READ, MODEL_READ, OPERATE, FULL, OPERATOR}),
        ):
            is_seen = bool(seen & {*policies})
            assert (f'href="/console/{name}"' in menu) is is_seen, (role, name)
            assert not is_seen or browser.get(f"/console/{name}").status == 200, (role, name)
    changes = {"stop", "delete", "keys"}
    assert {role: deeds for role, deeds in offered.items() if deeds} == {
        "buyer": changes,
        "manager": changes,
        "operator": {"approve"},
    }
    assert owner.service(service)["name"] == "talker"


def test_the_pages_are_in_chinese(scene: ServiceHarness, owner: Caller) -> None:
    service = counted(owner)
    browser = Browser(scene, language="zh-CN")
    browser.sign_in(owner.do(IAM, "DescribeUsers")["users"][0]["userId"])
    assert "服务" in browser.get("/console/services").words()
    words = browser.get(f"/console/services/{service}").words()
    assert ("副本" in words, "Replicas" in words) == (True, False)
    assert "模型" in browser.get("/console/models").words()
