"""The audit log as callers see it: every call is in it, those that were refused too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leasebook.domain.record.audit_log import read_body
from tests.api.scene import ACCOUNT, CATALOG, IAM, MODEL, NOTIFICATION, UNITS, Caller, ServiceHarness, a_scene, order
from tests.harness import CLIENT

FULL = "QianfanFullControlAccessPolicy"
OPERATE = "QianfanServiceOperateAccessPolicy"
NOBODY = ""


def entries(caller: Caller, **wanted: Any) -> list[Any]:
    """The account's calls, newest first, without those that ask for them."""
    pages = caller.pages(ACCOUNT, "DescribeAuditLog", {"maxKeys": 1000, **wanted})
    return [one for page in pages for one in page["entries"] if one["action"] != "DescribeAuditLog"]


def last(caller: Caller, **wanted: Any) -> Any:
    return entries(caller, **wanted)[0]


def test_a_purchase_is_written_with_who_asked_for_what_from_where(shared: ServiceHarness) -> None:
    caller = shared.customer()
    answer = caller.ask(UNITS, "PurchaseComputeUnit", order(), query="&clientToken=t-1")
    written = last(caller)
    page, chain = written.pop("page"), written.pop("chain")
    assert page > 0
    assert chain
    assert json.loads(written.pop("body")) == order()
    assert written == {
        "time": shared.now().isoformat(),
        "requestId": answer.body["requestId"],
        "userId": caller.do(IAM, "DescribeUsers")["users"][0]["userId"],
        "userName": "root",
        "accessKeyId": caller.desk.access_key,
        "address": CLIENT[0],
        "path": UNITS,
        "action": "PurchaseComputeUnit",
        "status": 200,
        "code": "OK",
        "names": [],
        "hasClientToken": True,
    }


def test_the_entry_of_what_changes_something_is_there_the_moment_it_is_answered(shared: ServiceHarness) -> None:
    caller = shared.customer()
    unit = caller.buy()
    for action, code in (("ReleaseComputeUnit", "OK"), ("ReleaseComputeUnit", "InvalidState")):
        request = caller.ask(UNITS, action, {"instanceId": unit}).body["requestId"]
        # No batch after it, and none that was waited for.
        page = list(shared.running.store.ask(lambda ask: list(ask.audit_export(caller_id(caller), None, None))))[-1]
        found = read_body(page.body).entries[-1]
        assert (found.request_id, found.code, found.names) == (request, code, (unit,))


def caller_id(caller: Caller) -> str:
    return str(caller.desk.service.store.ask(lambda ask: ask.identity(caller.desk.access_key))[0].account_id)  # type: ignore[index]


# How it is sent: what becomes of it.
REFUSED: dict[str, str] = {
    "no JSON": "MalformedJSON",
    "a bad value": "InappropriateJSON",
    "no policy": "AccessDenied",
}
UNPROVED: dict[str, str] = {
    "a wrong secret": "SignatureDoesNotMatch",
    "no signature": "SignatureEmpty",
    "no such key": "InvalidAccessKeyId",
    "no such action": "ResourceNotFound",
    "a GET": "InvalidHTTPRequest",
}


def send(shared: ServiceHarness, caller: Caller, how: str) -> Any:
    match how:
        case "a wrong secret":
            wrong = shared.caller({"accessKeyId": caller.desk.access_key, "secretAccessKey": "wrong"})
            return wrong.ask(UNITS, "DescribeComputeUnits")
        case "no signature":
            return caller.send(UNITS, "Action=DescribeComputeUnits", b"{}", headers=[])
        case "no such key":
            wrong = shared.caller({"accessKeyId": "AKNOBODYKNOWSTHIS", "secretAccessKey": "wrong"})
            return wrong.ask(UNITS, "DescribeComputeUnits")
        case "no such action":
            return caller.send(UNITS, "Action=Invent", b"{}")
        case "no JSON":
            return caller.send(UNITS, "Action=DescribeComputeUnit", b"{")
        case "a bad value":
            return caller.ask(UNITS, "DescribeComputeUnit", {"instanceId": 7})
        case "no policy":
            return shared.user(caller).ask(UNITS, "DescribeComputeUnits")
        case _:
            return caller.send(UNITS, "Action=DescribeComputeUnits", b"", method="GET")


@pytest.mark.parametrize(("how", "code"), REFUSED.items())
def test_a_call_that_is_refused_before_anything_is_decided_is_written_too(
    shared: ServiceHarness, how: str, code: str
) -> None:
    caller = shared.customer()
    answer = send(shared, caller, how)
    assert answer.code == code
    written = last(caller)
    assert written["requestId"] == answer.body["requestId"]
    assert (written["status"], written["code"], written["message"]) == (
        answer.status,
        code,
        answer.body["message"][:300],
    )
    assert {"userId", "accessKeyId"} <= set(written)


@pytest.mark.parametrize(("how", "code"), UNPROVED.items())
def test_whoever_cannot_prove_to_be_somebody_writes_nothing_into_anybodys_audit_log(
    shared: ServiceHarness, how: str, code: str
) -> None:
    caller = shared.customer()
    before = len(entries(caller)), len(entries(shared.operator, accountId=NOBODY))
    assert send(shared, caller, how).code == code
    assert (len(entries(caller)), len(entries(shared.operator, accountId=NOBODY))) == before
    counted = shared.operator.do(ACCOUNT, "DescribeRefusedCalls", {"maxKeys": 1000})["rows"]
    assert any(code in row["codes"] for row in counted)


def test_reading_the_audit_log_is_written_too(shared: ServiceHarness) -> None:
    caller = shared.customer()
    first = caller.ask(ACCOUNT, "DescribeAuditLog", {"action": "DescribeAuditLog"}).body["requestId"]
    again = caller.do(ACCOUNT, "DescribeAuditLog", {"action": "DescribeAuditLog"})["entries"]
    assert [one["requestId"] for one in again] == [first]


def test_a_call_to_no_path_of_ours_is_not_written(shared: ServiceHarness) -> None:
    before = len(entries(shared.operator, accountId=NOBODY))
    shared.operator.send("/favicon.ico", "")
    shared.operator.send("/v2/nothing", "Action=DescribeClock")
    assert len(entries(shared.operator, accountId=NOBODY)) == before


def test_no_secret_is_written(shared: ServiceHarness) -> None:
    caller = shared.customer()
    user = caller.do(IAM, "CreateUser", {"name": "user"})["userId"]
    mistaken = {"userId": user, "secretAccessKey": "given-by-mistake"}
    assert caller.refused(IAM, "CreateAccessKey", mistaken) == "InappropriateJSON"
    assert "[redacted]" in last(caller)["body"]
    made = caller.do(IAM, "CreateAccessKey", {"userId": user})
    text = json.dumps(entries(caller))
    assert "given-by-mistake" not in text
    assert made["secretAccessKey"] not in text


def test_the_log_is_filtered_by_everything_that_it_can_be_asked_for(shared: ServiceHarness) -> None:
    caller = shared.customer()
    user = shared.user(caller, OPERATE)
    mine, theirs = caller.buy(), user.buy()
    user.refused(UNITS, "AutoReleaseComputeUnit", {"instanceId": theirs, "releaseTime": "2001-01-01 00:00:00"})
    user.release(theirs)
    own = {one["accessKeyId"]: one["userId"] for one in entries(caller) if one["code"] == "OK"}
    by_user = own[user.desk.access_key]
    for wanted, actions in (
        ({"userId": by_user}, ["ReleaseComputeUnit", "AutoReleaseComputeUnit", "PurchaseComputeUnit"]),
        ({"accessKeyId": caller.desk.access_key, "action": "PurchaseComputeUnit"}, ["PurchaseComputeUnit"]),
        ({"code": "InappropriateJSON"}, ["AutoReleaseComputeUnit"]),
        ({"instanceId": theirs}, ["ReleaseComputeUnit", "AutoReleaseComputeUnit"]),
        ({"instanceId": mine}, []),
        ({"instanceId": "unit-nowhere"}, []),
        ({"address": CLIENT[0], "userId": by_user, "code": "OK"}, ["ReleaseComputeUnit", "PurchaseComputeUnit"]),
        ({"address": "192.0.2.99"}, []),
        ({"endTime": "2001-01-01 00:00:00"}, []),
    ):
        assert [one["action"] for one in entries(caller, **wanted)] == actions, wanted


def test_the_log_is_filtered_by_time(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    caller.buy(months=1)
    fresh.advance("2030-02-01 00:00:00")
    caller.buy(months=1)
    actions = {"action": "PurchaseComputeUnit"}
    assert len(entries(caller, **actions)) == 2
    (early,) = entries(caller, endTime="2030-02-01 00:00:00", **actions)
    (late,) = entries(caller, startTime="2030-02-01 00:00:00", **actions)
    assert early["time"] < late["time"]


def test_pages_have_every_entry_once_newest_first(shared: ServiceHarness) -> None:
    caller = shared.customer()
    asked = [caller.ask(UNITS, "ReleaseComputeUnit", {"instanceId": f"unit-{n}"}).body["requestId"] for n in range(7)]
    pages = caller.pages(ACCOUNT, "DescribeAuditLog", {"maxKeys": 2, "action": "ReleaseComputeUnit"})
    assert [len(page["entries"]) for page in pages] == [2, 2, 2, 1]
    assert [one["requestId"] for page in pages for one in page["entries"]] == asked[::-1]
    marker = pages[0]["nextMarker"]
    assert caller.refused(ACCOUNT, "DescribeAuditLog", {"marker": marker, "code": "OK"}) == "InvalidMarker"


def test_only_who_runs_an_account_reads_its_log_and_only_an_operator_anothers(shared: ServiceHarness) -> None:
    caller, other = shared.customer(), shared.customer()
    assert shared.user(caller, OPERATE).refused(ACCOUNT, "DescribeAuditLog") == "AccessDenied"
    shared.user(caller, FULL).do(ACCOUNT, "DescribeAuditLog")
    for whose in (caller.account_id(), NOBODY):
        assert other.refused(ACCOUNT, "DescribeAuditLog", {"accountId": whose}) == "AccessDenied"
        shared.operator.do(ACCOUNT, "DescribeAuditLog", {"accountId": whose})
    assert other.refused(ACCOUNT, "DescribeAuditProof") == "AccessDenied"


def test_the_operator_sees_where_the_chain_ends_and_the_key_of_closures(shared: ServiceHarness) -> None:
    proof = shared.operator.do(ACCOUNT, "DescribeAuditProof")
    (chain,) = proof["chains"]
    assert len(bytes.fromhex(proof["publicKey"])) == 32
    assert len(bytes.fromhex(chain["hash"])) == 32
    later = shared.operator.do(ACCOUNT, "DescribeAuditProof")["chains"][0]
    assert later["page"] == chain["page"] + 1
    assert later["hash"] != chain["hash"]


def test_moving_the_clock_is_written_where_it_arrives(fresh: ServiceHarness) -> None:
    fresh.advance("2030-02-01 00:00:00")
    written = last(fresh.operator, action="AdvanceClock")
    assert (written["code"], written["time"]) == ("OK", "2030-01-15T08:00:00+08:00")


def test_a_repeated_call_is_written_twice_and_done_once(shared: ServiceHarness) -> None:
    caller = shared.customer()
    answers = [caller.ask(UNITS, "PurchaseComputeUnit", order(), query="&clientToken=again").body for _ in range(2)]
    assert answers[0]["result"] == answers[1]["result"]
    written = entries(caller, action="PurchaseComputeUnit")
    assert [one["requestId"] for one in written] == [answer["requestId"] for answer in reversed(answers)]


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[ServiceHarness]:
    with a_scene(tmp_path, environment={"LEASEBOOK_TRUSTED_PROXIES": "192.0.2.0/24, 10.0.0.0/8"}) as scene:
        yield scene


def test_behind_a_trusted_proxy_the_callers_own_address_is_written(proxied: ServiceHarness) -> None:
    headers = [(b"x-forwarded-for", b"1.2.3.4, 198.51.100.7, 10.0.0.5")]
    proxied.operator.send(UNITS, "Action=DescribeComputeUnits", b"{}", headers=headers)
    assert proxied.operator.do(ACCOUNT, "DescribeRefusedCalls")["rows"][0]["address"] == "198.51.100.7"
    signed = proxied.operator.desk.signed(UNITS, "Action=DescribeComputeUnits", b"{}")
    proxied.operator.send(UNITS, "Action=DescribeComputeUnits", b"{}", headers=[*signed, *headers])
    assert last(proxied.operator)["address"] == "198.51.100.7"


def test_every_call_of_a_crowd_is_written_once(fresh: ServiceHarness) -> None:
    answers: list[str] = []

    async def crowd() -> None:
        found = await asyncio.gather(
            *(
                fresh.operator.desk.call(UNITS, action, body)
                for _ in range(50)
                for action, body in (
                    ("PurchaseComputeUnit", order(type="gpu-1")),
                    ("DescribeComputeUnits", {}),
                    ("ReleaseComputeUnit", {"instanceId": "unit-none"}),
                )
            )
        )
        answers.extend(answer.body["requestId"] for answer in found)

    fresh.play(crowd)
    written = [one["requestId"] for one in entries(fresh.operator) if one["path"] == UNITS]
    assert sorted(written) == sorted(answers)


def test_a_clean_stop_writes_what_waits(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        asked = scene.operator.ask(CATALOG, "DescribeOfferings").body["requestId"]
    with a_scene(tmp_path) as scene:
        assert asked in {one["requestId"] for one in entries(scene.operator)}
        # Each run has a chain of its own.
        assert len(scene.operator.do(ACCOUNT, "DescribeAuditProof")["chains"]) == 2


def test_neither_values_of_an_environment_nor_what_follows_a_webhooks_host_is_in_the_audit_log(
    fresh: ServiceHarness,
) -> None:
    secret = "hunter2-and-more"
    customer = fresh.customer("10")
    made = customer.do(MODEL, "CreateCustomModelSet", {"modelSetName": "set"})
    run = {"command": ["serve", f"--token={secret}"], "env": {"HF_TOKEN": secret}}
    customer.do(MODEL, "CreateCustomModel", {"modelSetId": made["modelSetId"], "run": run})
    customer.refused(
        MODEL, "CreateCustomModel", {"modelSetId": made["modelSetId"], "run": {**run, "env": {"PORT": secret}}}
    )
    customer.do(
        NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": f"https://hooks.example.org/{secret}?{secret}"}
    )
    customer.refused(
        NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": f"https://a:{secret}@hooks.example.org/"}
    )
    found = customer.do(ACCOUNT, "DescribeAuditLog", {})["entries"]
    assert secret not in str(found)
    bodies = {(entry["action"], entry["code"]): json.loads(entry["body"]) for entry in found if entry["body"]}
    kept = bodies["CreateCustomModel", "OK"]["run"]
    assert kept == {"command": ["serve", "[redacted]"], "env": {"HF_TOKEN": "[redacted]"}}
    assert bodies["CreateSubscription", "OK"]["url"] == "https://hooks.example.org/[redacted]"
