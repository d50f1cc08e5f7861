"""Faults that a test asks for, as a real client meets them over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from leasebook.client import Client, ErrorAnswer, NoAnswer, Retries
from leasebook.client.shapes.instance import Billing, ComputeUnitConfig
from leasebook.testing import AccountInTest, Leasebook

BUY = "PurchaseComputeUnit"
ONE = {
    "billing": {"paymentTiming": "Postpaid"},
    "computeUnitConfig": {"type": "gpu-1"},
    "computeUnitCount": 1,
}
AT = "/v2/computeunit"
GPU = ComputeUnitConfig(type="gpu-1")


@pytest.fixture(scope="module")
def service() -> Iterator[Leasebook]:
    with Leasebook(start="2030-01-01 00:00:00", stock={"gpu-1": 50}, balance=10_000) as kit:
        yield kit


@pytest.fixture
def kit(service: Leasebook) -> Leasebook:
    """The service without faults, and without units of earlier tests."""
    service.clear_faults()
    for unit in service.client.each_of_units(status="Running"):
        service.client.release_unit(instance_id=unit.instance_id)
    return service


@pytest.fixture
def once(kit: Leasebook) -> Iterator[Client]:
    """A client that tries once."""
    account = kit.account
    with Client(kit.url, account.access_key, account.secret_key, retries=Retries(tries=1)) as client:
        yield client


def units(kit: Leasebook) -> list[str]:
    return [unit.instance_id for unit in kit.client.each_of_units(status="Running")]


def refusal(account: AccountInTest, token: str = "") -> ErrorAnswer:
    """The refusal of a purchase that is tried once."""
    with pytest.raises(ErrorAnswer) as refused:
        account.call(AT, BUY, {**ONE, "clientToken": token})
    return refused.value


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("InsufficientStock", 409, "InsufficientStock"),
        ("InsufficientBalance", 402, "InsufficientBalance"),
        ("TooManyRequests", 429, "TooManyRequests"),
        ("ErrorBefore", 500, "InternalError"),
        ("StoreUnavailable", 503, "StoreUnavailable"),
        ("ClockSkew", 400, "RequestExpired"),
    ],
)
def test_a_fault_that_refuses_happens_once_and_leaves_the_books_alone(
    kit: Leasebook, kind: str, status: int, code: str
) -> None:
    before = kit.client.describe_account()
    kit.fail(kind, action=BUY, seconds=7 if kind == "TooManyRequests" else None)  # type: ignore[arg-type]
    said = refusal(kit.account)
    assert (said.code, said.status) == (code, status)
    assert said.retry_after_s == {"TooManyRequests": 7.0, "StoreUnavailable": 1.0}.get(kind)
    assert kit.client.describe_account() == before
    assert [(fault.kind, fault.left, fault.happened) for fault in kit.faults()] == [(kind, 0, 1)]
    assert kit.account.buy("gpu-1") in units(kit)


def test_500_after_the_commit_has_bought_and_the_client_token_finds_that_out(kit: Leasebook) -> None:
    kit.fail("ErrorAfter", action=BUY)
    assert refusal(kit.account, "one").status == 500
    (bought,) = units(kit)
    assert kit.account.call(AT, BUY, {**ONE, "clientToken": "one"})["instanceId"] == bought
    assert units(kit) == [bought]


def test_a_purchase_that_was_answered_before_is_not_refused_later(kit: Leasebook) -> None:
    first = kit.account.call(AT, BUY, {**ONE, "clientToken": "before"})
    kit.fail("InsufficientStock", action=BUY, count=None)
    assert kit.account.call(AT, BUY, {**ONE, "clientToken": "before"}) == first
    assert refusal(kit.account, "other").code == "InsufficientStock"


def test_a_body_that_is_cut_is_a_call_that_may_be_done_and_our_client_asks_again(kit: Leasebook, once: Client) -> None:
    kit.fail("CutBody", action=BUY)
    with pytest.raises(NoAnswer) as cut:
        once.purchase_units(billing=Billing(payment_timing="Postpaid"), compute_unit_config=GPU, compute_unit_count=1)
    assert cut.value.may_be_done
    assert len(units(kit)) == 1
    kit.fail("CutBody", action=BUY)
    # The client of the kit repeats it, with the token that it made.
    kit.account.buy("gpu-1")
    assert len(units(kit)) == 2


def test_a_slow_call_is_done_after_the_client_has_lost_patience(kit: Leasebook, once: Client) -> None:
    kit.fail("Slow", action="DescribeAccount", seconds=0.3)
    began = time.monotonic()
    assert once.describe_account().account_id == kit.account.account_id
    assert time.monotonic() - began >= 0.3
    kit.fail("Slow", action="DescribeAccount", seconds=30)
    with pytest.raises(NoAnswer):
        once.within(0.05).describe_account()


def test_chances_are_the_same_with_the_same_seed_and_about_as_many_as_asked(kit: Leasebook, once: Client) -> None:
    runs = []
    for _ in range(2):
        kit.clear_faults()
        kit.fail("ErrorBefore", action="DescribeAccount", count=None, probability=0.4, seed=11)
        runs.append([fails(once) for _ in range(30)])
    assert runs[0] == runs[1]
    assert 4 <= sum(runs[0]) <= 22


def fails(client: Client) -> bool:
    try:
        client.describe_account()
    except ErrorAnswer as error:
        return error.status == 500
    return False


def test_a_fault_of_one_account_is_none_of_another(kit: Leasebook) -> None:
    other = kit.new_account("other", balance=100)
    kit.fail("TooManyRequests", count=None)
    assert fails_with(kit.account) == "TooManyRequests"
    assert other.call("/v2/account", "DescribeAccount")["accountId"] == other.account_id
    kit.clear_faults()
    kit.fail("TooManyRequests", count=None, account=other)
    assert fails_with(other) == "TooManyRequests"
    assert kit.account.call("/v2/account", "DescribeAccount")["accountId"] == kit.account.account_id
    kit.fail("TooManyRequests", count=1, account="all")
    assert fails_with(kit.account) == "TooManyRequests"


def fails_with(account: AccountInTest) -> str:
    with pytest.raises(ErrorAnswer) as refused:
        account.call("/v2/account", "DescribeAccount")
    return refused.value.code


def test_an_engine_that_is_silent_confirms_when_the_fault_is_cleared_and_the_meter_starts_then(kit: Leasebook) -> None:
    kit.fail("EngineSilent")
    unit = kit.account.buy("gpu-1")
    assert kit.client.describe_unit(instance_id=unit).compute_unit_instance.status == "Creating"
    other = kit.account.buy("gpu-1")
    assert kit.client.describe_unit(instance_id=other).compute_unit_instance.status == "Running"
    kit.advance(minutes=10)
    kit.clear_faults()
    shown = kit.client.describe_unit(instance_id=unit).compute_unit_instance
    assert (shown.status, shown.start_time) == ("Running", kit.now)


def test_an_engine_that_is_silent_keeps_the_units_of_what_is_released(kit: Leasebook) -> None:
    unit = kit.account.buy("gpu-1")
    kit.fail("EngineSilent")
    kit.client.release_unit(instance_id=unit)
    assert kit.client.describe_unit(instance_id=unit).compute_unit_instance.status == "Releasing"
    kit.clear_faults()
    assert kit.client.describe_unit(instance_id=unit).compute_unit_instance.status == "Released"


def test_an_engine_that_fails_gives_the_money_back(kit: Leasebook) -> None:
    balance = kit.client.describe_account().balance
    kit.fail("EngineFails")
    months = {"paymentTiming": "Prepaid", "reservation": {"reservationTimeUnit": "Month", "reservationLength": 1}}
    unit = kit.account.buy("gpu-1", billing=months)
    until = time.monotonic() + 30
    while (shown := kit.client.describe_unit(instance_id=unit).compute_unit_instance).status == "Creating":
        assert time.monotonic() < until
    assert shown.status == "CreateFailed"
    assert "fault" in (shown.reason or "")
    assert kit.client.describe_account().balance == balance


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"kind": "ErrorAfter", "action": "PurchaseComputeUnits"}, "PurchaseComputeUnit"),
        ({"kind": "InsufficientStock", "action": "DescribeAccount"}, "buys nothing"),
        ({"kind": "EngineFails", "action": BUY}, "fault of engines"),
        ({"kind": "ReplicaLost", "accountId": "0" * 32}, "leave the account out"),
        ({"kind": "ErrorAfter", "action": "SetFaults"}, "No action that can have faults"),
    ],
)
def test_a_fault_that_no_call_could_have_is_refused_and_none_of_the_list_is_set(
    kit: Leasebook, fault: dict[str, str], field: str
) -> None:
    with pytest.raises(ErrorAnswer, match=field):
        kit.operator.set_faults(faults=[{"kind": "Slow"}, fault])  # type: ignore[list-item]
    assert kit.faults() == []


def test_faults_are_counted_and_can_be_cleared_one_by_one(kit: Leasebook) -> None:
    first = kit.fail("ErrorBefore", action=BUY)
    second = kit.fail("Slow", action=BUY, seconds=0, count=None)
    refusal(kit.account)
    kit.operator.clear_faults(fault_ids=[first])
    assert [fault.fault_id for fault in kit.faults()] == [second]

    async def metrics() -> str:
        return (await kit._started().service.health.public_page("/metrics")).body.decode()  # type: ignore[union-attr]

    assert 'leasebook_faults_total{kind="ErrorBefore"}' in kit._started().run(metrics())


def test_only_an_operator_sets_faults(kit: Leasebook) -> None:
    with pytest.raises(ErrorAnswer) as refused:
        kit.account.call("/v2/faults", "SetFaults", {"faults": [{"kind": "Slow"}]})
    assert refused.value.code == "AccessDenied"


def test_a_server_without_faults_has_no_such_action_and_names_none() -> None:
    with Leasebook(settings={"faults": "no"}) as plain:
        for action in ("SetFaults", "DescribeFaults", "ClearFaults", "SetFault", ""):
            with pytest.raises(ErrorAnswer) as refused:
                plain.operator.set_faults(faults=[]) if action == "SetFaults" else plain.account.call(
                    "/v2/faults", action
                )
            assert (refused.value.status, refused.value.code) == (404, "ResourceNotFound")
            nearest = refused.value.message.partition("at '/v2/faults'.")[2]
            assert "aults" not in nearest
